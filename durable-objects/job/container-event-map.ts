import type { ContainerEvent, ContainerStats } from "../../protocol/container-api.ts";
import type { JobEventBody } from "../../protocol/job.ts";
import type { Attempt } from "./job-state.ts";

type Told = Exclude<ContainerEvent, { type: "end" }>;

/** An executor's event as the job tells it. */
export function jobEventOf(
  { epoch, runId, executor }: Attempt,
  event: Told,
): Exclude<JobEventBody, { type: "done" }> {
  switch (event.type) {
    case "started":
      return { type: "started", runId, epoch, executor: executor.name };
    case "stdout":
    case "stderr": {
      const { type, offset, data, encoding } = event;
      return { type, offset, data, encoding };
    }
    case "gap":
      return { type: "gap", what: event.stream, from: event.from, to: event.to };
    case "stats":
      return { type: "stats", ...statsOf(event) };
    case "artifact":
      return { type: "artifact", artifact: event.artifact };
  }
}

export function statsOf(event: Extract<ContainerEvent, { type: "stats" }>): ContainerStats {
  const { cpuPercent, memoryBytes, memoryPercent, pids } = event;
  return { cpuPercent, memoryBytes, memoryPercent, pids };
}
