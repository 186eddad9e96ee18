import { z } from "zod";

/** What is read of an executor's or a job's events; both end with one that carries the result. */
const Event = z.object({
  type: z.string(),
  data: z.string().optional(),
  result: z.object({ outcome: z.string() }).optional(),
});

/** A run as its follower saw it. */
export interface Followed {
  /** From `began` to the first byte of standard output; milliseconds. */
  readonly firstOutputMs: number;
  readonly stdout: string;
  readonly outcome: string;
}

/**
 * Reads NDJSON events to the last one, the `end` of an executor or the `done` of a job.
 *
 * @param began As `performance.now()` told when the run was asked for.
 * @throws {Error} Where they end without it.
 */
export async function followEvents(
  body: AsyncIterable<Uint8Array>,
  began: number,
): Promise<Followed> {
  const decoder = new TextDecoder();
  let rest = "";
  let stdout = "";
  let firstOutputMs = Number.NaN;
  let outcome: string | undefined;
  // To the stream's own end, so that its connection serves the next request, too.
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") continue;
      const { type, data = "", result } = Event.parse(JSON.parse(line));
      if (type === "stdout") {
        if (stdout === "") firstOutputMs = performance.now() - began;
        stdout += data;
      }
      if (type === "end" || type === "done") outcome = result?.outcome;
    }
  }
  if (outcome !== undefined) return { firstOutputMs, stdout, outcome };
  throw new Error("Cannot follow a run: its events ended before it did");
}

/** @throws {Error} Where a run did not end well, or said something else. */
export function checkFollowed(run: Followed, stdout: string): { readonly firstOutputMs: number } {
  if (run.outcome === "ok" && run.stdout === stdout) return { firstOutputMs: run.firstOutputMs };
  throw new Error(`Cannot use a run: ${run.outcome}, output "${run.stdout.slice(0, 200)}"`);
}
