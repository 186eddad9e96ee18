import { RENEWED_WITHIN_MS } from "../../protocol/container-api.ts";
import type { ContainerOrder, ContainerRuntime } from "../../protocol/container-api.ts";
import type { InitFile, InitJob } from "../channel/init-job.ts";
import type { Isolation } from "../containers/container-options.ts";
import { BASE_ENV, INPUT_PATH, RUNTIMES, warmFrom } from "../runtimes/runtimes.ts";

const MIB = 1024 * 1024;
const CODE_MODE = 0o600;
/** Tells a program where its value pipe is. */
const VALUE_ENV = { BULKHEAD_VALUE_FD: "3" };

export const stdinOf = (order: ContainerOrder): Buffer => Buffer.from(order.stdin ?? "", "utf8");

/** What the init of a runtime's image is given of an order. `env` is said by the platform, on top of the order's own. */
export function initJob(
  order: ContainerOrder,
  runtime: ContainerRuntime,
  isolation: Isolation,
  env: Readonly<Record<string, string>>,
): InitJob {
  const { codePath, argv, hasValue } = RUNTIMES[runtime];
  const { caps, inputJson } = order;
  const file = (path: string, bytes: Buffer, mode: number): InitFile => ({ path, bytes, mode });
  return {
    argv: argv(order.args, inputJson !== null),
    env: {
      ...BASE_ENV,
      ...RUNTIMES[runtime].env,
      BULKHEAD_RUN_ID: order.runId,
      ...(hasValue ? VALUE_ENV : {}),
      ...order.env,
      ...env,
    },
    files: [
      ...order.files.map(({ path, base64, mode }) =>
        file(path, Buffer.from(base64, "base64"), mode),
      ),
      file(codePath, Buffer.from(order.code ?? "", "utf8"), CODE_MODE),
      ...(inputJson === null ? [] : [file(INPUT_PATH, Buffer.from(inputJson, "utf8"), CODE_MODE)]),
    ],
    warmFrom: warmFrom(RUNTIMES[runtime], { ...order.env, ...env }),
    wantsValue: hasValue,
    limits: {
      memoryBytes: caps.memoryMb === null ? null : caps.memoryMb * MIB,
      cpuMs: caps.cpuMs,
      processes: isolation === "gvisor" ? caps.pids : null,
      leaseMs: RENEWED_WITHIN_MS,
    },
  };
}

/** Why a file's path is none that a work folder takes; undefined where it is. */
export function pathProblem(path: string): string | undefined {
  if (path.includes("\0")) return "holds a zero byte";
  if (path.startsWith("/")) return "is not relative";
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    return "is not normalised";
  return parts[0] === ".bulkhead" ? "is in the platform's folder" : undefined;
}
