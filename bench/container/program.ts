import type { ContainerCreateOptions } from "dockerode";

import {
  containerOptions,
  type ContainerLimits,
  JOB_UID,
  WORK_FOLDER,
} from "../../container-executor/containers/container-options.ts";
import { imageReference } from "../../container-executor/runtimes/runtimes.ts";
import type { ContainerOrder } from "../../protocol/container-api.ts";

/** The heavy lane's no-op: what is measured is how a program comes to run, not the program. */
const CODE = 'print("hello")';

/** What it writes. */
export const STDOUT = "hello\n";

/** A request to the gateway. */
export const REQUEST = JSON.stringify({ language: "python", code: CODE });

/** The shipped defaults, which a spare has, too. */
const LIMITS: ContainerLimits = { memoryMb: 2048, cpus: 1, pids: 1000, diskMb: 1024 };

/** The same to an executor, with the limits that the gateway's defaults give. */
export const ORDER: Omit<ContainerOrder, "runId"> = {
  tenant: "bench",
  runtime: "python",
  image: null,
  code: CODE,
  inputJson: null,
  args: [],
  env: {},
  stdin: null,
  files: [],
  artifacts: [],
  net: [],
  caps: {
    ...LIMITS,
    wallMs: 300_000,
    cpuMs: null,
    outputBytes: 16_777_216,
    outputFileBytes: 67_108_864,
    artifactFiles: 1000,
    artifactBytes: 268_435_456,
  },
};

export type EngineRuntime = "runc" | "runsc";

/** A container of the same image with the same limits whose only process is the program. */
export function plainContainer(runtime: EngineRuntime): ContainerCreateOptions {
  const confinement = {
    limits: LIMITS,
    runtime: runtime === "runc" ? null : runtime,
    isolation: runtime === "runc" ? "namespaces" : "gvisor",
    network: null,
  } as const;
  const identity = { name: "", executorId: "", bootId: "" };
  const made = containerOptions(identity, IMAGE, { kind: "init" }, confinement);
  return {
    Image: IMAGE,
    Entrypoint: [...COMMAND],
    User: `${JOB_UID}:${JOB_UID}`,
    WorkingDir: WORK_FOLDER,
    Hostname: "job",
    AttachStdout: true,
    AttachStderr: true,
    ...(made.HostConfig === undefined ? {} : { HostConfig: made.HostConfig }),
  };
}

export const IMAGE = imageReference("python");

/** The program as the only process of a container. */
export const COMMAND = ["python3", "-u", "-c", CODE] as const;
