import {
  ISOLATE_LIMITS,
  type IsolateLimitName,
  type IsolateLimitValues,
} from "../../protocol/limits.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { ScriptRequest } from "../../protocol/run-request.ts";
import type { AppliedLimit } from "../../protocol/run-result.ts";
import type { Isolation, RunCaps, RunWork } from "../../protocol/sandbox-api.ts";
import type { TenantPolicy } from "../../protocol/tenant.ts";
import type { Config } from "../config.ts";
import { fits } from "./fits.ts";
import { allowedModes, resolveIsolation } from "./isolation.ts";
import { effectiveLimits, resolveLimits, resolveNet } from "./limits.ts";

/** All that was decided of an isolate run before it is admitted. */
export interface IsolatePlan {
  readonly isolation: Isolation;
  readonly caps: RunCaps;
  readonly limits: Readonly<Record<IsolateLimitName, AppliedLimit>>;
  readonly net: readonly string[];
  /** Runs that the tenant may have under way at once; 0 is unlimited. */
  readonly maxConcurrent: number;
  readonly work: RunWork;
}

const ENTRY = { javascript: "main.js", typescript: "main.ts" } as const;

/**
 * Decides what a run may use and what is sent of it, from the request, the tenant's overrides and
 * the variables; the first thing out of bounds refuses it.
 */
export function planIsolateRun(
  request: ScriptRequest,
  inputJson: string | null,
  policy: TenantPolicy,
  config: Config,
): Result<IsolatePlan> {
  const { overrides } = policy;
  const own = overrides.isolate?.limits;
  const effective = effectiveLimits<IsolateLimitValues>(ISOLATE_LIMITS, config.isolate.limits, own);
  const limits = resolveLimits<IsolateLimitValues>(ISOLATE_LIMITS, effective, request.limits);
  if (!limits.ok) return limits;
  const isolation = resolveIsolation(allowedModes(config.isolate, overrides), request.isolation);
  if (!isolation.ok) return isolation;
  const net = resolveNet(overrides.net, request.permissions.net);
  if (!net.ok) return net;
  const work = assembleWork(request, inputJson, config.isolate);
  if (!work.ok) return work;
  const { wallMs, cpuMs, memoryMb, outputBytes } = limits.value;
  return ok({
    isolation: isolation.value,
    caps: {
      wallMs: wallMs.value,
      cpuMs: cpuMs.value,
      memoryMb: memoryMb.value,
      outputBytes: outputBytes.value,
      ...config.isolate.caps,
    },
    limits: limits.value,
    net: net.value,
    maxConcurrent: overrides.maxConcurrent ?? config.tenantMaxConcurrent,
    work: work.value,
  });
}

function assembleWork(
  request: ScriptRequest,
  inputJson: string | null,
  config: Config["isolate"],
): Result<RunWork> {
  const { language, code } = request;
  const entry = ENTRY[language];
  if (Object.hasOwn(request.modules, entry)) {
    const message = "is the entry's own path, whose source is code";
    return fail({ code: "malformed_request", issues: [{ path: `modules.${entry}`, message }] });
  }
  if (!fits([code, ...Object.values(request.modules)], config.sourceBytes)) {
    return fail({ code: "payload_too_large", what: "source", limitBytes: config.sourceBytes });
  }
  if (!fits([inputJson ?? "", request.request?.body ?? ""], config.inputBytes)) {
    return fail({ code: "payload_too_large", what: "input", limitBytes: config.inputBytes });
  }
  return ok({
    language,
    entry,
    modules: { ...request.modules, [entry]: code },
    inputJson,
    request: request.request ?? null,
    env: request.env,
  });
}
