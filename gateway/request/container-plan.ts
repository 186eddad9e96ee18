import picomatch from "picomatch/posix";

import type { JobWork } from "../../durable-objects/job-contract.ts";
import type { ContainerOrder } from "../../protocol/container-api.ts";
import type { Issue } from "../../protocol/failure.ts";
import {
  CONTAINER_LIMITS,
  type ContainerLimitName,
  type ContainerLimitValues,
} from "../../protocol/limits.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { ContainerRequest } from "../../protocol/run-request.ts";
import type { AppliedLimit } from "../../protocol/run-result.ts";
import type { TenantPolicy } from "../../protocol/tenant.ts";
import type { Config } from "../config.ts";
import { planFiles } from "./container-files.ts";
import { fits } from "./fits.ts";
import { effectiveLimits, hostOutside, resolveLimits, resolveNet } from "./limits.ts";

/** All that was decided of a container run before it is submitted. */
export interface ContainerPlan {
  readonly work: Extract<JobWork, { lane: "container" }>;
  readonly limits: Readonly<Record<ContainerLimitName, AppliedLimit>>;
  readonly net: readonly string[];
  /** Whether anything outside (network, artifacts) is granted to it. */
  readonly reachesOutside: boolean;
}

/**
 * Arguments and environment together; bytes. Linux takes a quarter of the stack's limit, 2 MiB as
 * a rule, and fails the start of a program with more.
 */
const ARGUMENT_BYTES_MAX = 1024 * 1024;

/** An image as engines name it: registry, path, tag, digest. */
const IMAGE = /^[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,511}$/;

/**
 * Decides what a container run may use and what is sent of it, from the request, the tenant's
 * overrides and the variables; the first thing out of bounds refuses it.
 *
 * `inputJson` is the input's exact source text, null where there is none.
 */
export function planContainerRun(
  tenant: string,
  request: ContainerRequest,
  inputJson: string | null,
  { overrides }: TenantPolicy,
  { container }: Config,
): Result<ContainerPlan> {
  const issue = findIssue(request, inputJson);
  if (issue !== undefined) return fail({ code: "malformed_request", issues: [issue] });
  const own = overrides.container?.limits;
  const effective = effectiveLimits<ContainerLimitValues>(CONTAINER_LIMITS, container.limits, own);
  const limits = resolveLimits<ContainerLimitValues>(CONTAINER_LIMITS, effective, request.limits);
  if (!limits.ok) return limits;
  const net = resolveContainerNet(container.network, overrides.net, request.permissions.net);
  if (!net.ok) return net;
  const image = allowedImage(request.image, container.allowedImages);
  if (!image.ok) return image;
  const tooLarge = findTooLarge(request, container);
  if (tooLarge !== undefined) return fail({ code: "payload_too_large", ...tooLarge });
  const files = planFiles(request, container.filesBytes);
  if (!files.ok) return files;

  const { language = null, code = null, args = [], env, stdin = null, artifacts = [] } = request;
  const order: Omit<ContainerOrder, "runId" | "files"> = {
    tenant,
    runtime: language,
    image: image.value,
    code,
    inputJson,
    args,
    env,
    stdin,
    artifacts,
    caps: capsOf(limits.value, container.caps),
    net: [...net.value],
  };
  return ok({
    work: { lane: "container", order, files: files.value },
    limits: limits.value,
    net: net.value,
    reachesOutside: net.value.length > 0 || artifacts.length > 0,
  });
}

/** What cannot be meant, whoever asks. */
function findIssue(request: ContainerRequest, inputJson: string | null): Issue | undefined {
  const { language, image, code, modules, artifacts = [] } = request;
  if (language === undefined && image === undefined) {
    return { path: "language", message: "is missing: a run needs a language or an image" };
  }
  if (language !== undefined && image !== undefined) {
    return { path: "image", message: "must not come with a language: an image has its own" };
  }
  if (image !== undefined && !IMAGE.test(image)) {
    return { path: "image", message: "must be an image like debian:bookworm-slim" };
  }
  if (language !== undefined && code === undefined) return { path: "code", message: "is missing" };
  const isScript = language === "javascript" || language === "typescript";
  if (inputJson !== null && !isScript) return { path: "input", message: ONLY_SCRIPTS };
  if (modules !== undefined && !isScript) return { path: "modules", message: ONLY_SCRIPTS };
  const index = artifacts.findIndex((glob) => !isGlob(glob));
  if (index !== -1) return { path: `artifacts.${index}`, message: GLOB_MESSAGE };
  return undefined;
}

const ONLY_SCRIPTS = "is for javascript and typescript alone";

const GLOB_MESSAGE =
  'must be a relative glob of *, **, ?, [abc] and {a,b}, without empty, "." or ".." parts';

/** Groups with operators of their own are refused: a match with them can take for ever. */
const isGlob = (glob: string): boolean =>
  !/[!?*+@]\(|^!|[\p{Cc}\\]/u.test(glob) &&
  glob.split("/").every((part) => part !== "" && part !== "." && part !== "..");

function findTooLarge(
  { code, args = [], env }: ContainerRequest,
  { sourceBytes }: Config["container"],
): { readonly what: string; readonly limitBytes: number } | undefined {
  if (!fits([code ?? ""], sourceBytes)) return { what: "source", limitBytes: sourceBytes };
  if (fits([...args, ...Object.entries(env).flat()], ARGUMENT_BYTES_MAX)) return undefined;
  return { what: "arguments and environment", limitBytes: ARGUMENT_BYTES_MAX };
}

/** Hosts must lie within what containers may reach at all, and within what the tenant may. */
function resolveContainerNet(
  network: readonly string[],
  allowed: readonly string[] | undefined,
  asked: readonly string[],
): Result<readonly string[]> {
  const outside = hostOutside(network, asked);
  if (outside === undefined) return resolveNet(allowed, asked);
  const reason = `permissions.net "${outside}" is outside the hosts that containers may reach (CONTAINER_NETWORK)`;
  return fail({ code: "forbidden", reason });
}

function allowedImage(
  image: string | undefined,
  allowed: readonly string[],
): Result<string | null> {
  if (image === undefined) return ok(null);
  const options = { dot: true, nobrace: true, noextglob: true, nonegate: true };
  if (allowed.some((pattern) => picomatch.isMatch(image, pattern, options))) return ok(image);
  const reason = `image "${image}" is not among those that may run here (ALLOWED_IMAGES)`;
  return fail({ code: "forbidden", reason });
}

function capsOf(
  limits: { readonly [name in ContainerLimitName]: { readonly value: ContainerLimitValues[name] } },
  fixed: Config["container"]["caps"],
): ContainerOrder["caps"] {
  const { wallMs, cpuMs, memoryMb, cpus, pids, diskMb, outputBytes } = limits;
  return {
    wallMs: wallMs.value,
    cpuMs: cpuMs.value,
    memoryMb: memoryMb.value,
    cpus: cpus.value,
    pids: pids.value,
    diskMb: diskMb.value,
    outputBytes: outputBytes.value,
    ...fixed,
    // What may be told live must have room where the whole is kept.
    outputFileBytes: Math.max(fixed.outputFileBytes, outputBytes.value),
  };
}
