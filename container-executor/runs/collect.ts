import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";

import { OUTPUT_ARTIFACTS } from "../../protocol/container-api.ts";
import type { ContainerArtifact, ContainerResult } from "../../protocol/container-api.ts";
import type { RunSpec } from "../journal/journal.ts";
import { log } from "../log.ts";
import { chooseArtifacts, LEFT_MAX } from "./artifact-choice.ts";
import type { LeftFile } from "./artifact-choice.ts";
import { storeArtifact } from "./artifact-store.ts";
import type { JobBox } from "./job-box.ts";
import { STREAMS } from "./output-recorder.ts";
import type { OutputRecorder } from "./output-recorder.ts";
import { resultText } from "./result-text.ts";
import type { ResultText } from "./result-text.ts";
import { verdictOf } from "./verdict.ts";
import type { KillCause, ProgramEnd } from "./verdict.ts";

/** Times on the machine's monotonic clock. */
interface RunTimes {
  readonly takenAtMs: number;
  readonly startedAtMs: number | null;
  readonly exitedAtMs: number;
  /** When it was decided to end the run; null where it never was. */
  readonly killedAtMs: number | null;
}

export interface Collecting {
  readonly spec: RunSpec;
  readonly codePath: string | null;
  readonly folder: string;
  readonly recorder: OutputRecorder;
  readonly box: JobBox | undefined;
  readonly end: ProgramEnd;
  readonly cause: KillCause | null;
  readonly times: RunTimes;
  /** As the service itself saw them, where no init says. */
  readonly seen: { readonly cpuMs: number; readonly peakBytes: number };
}

/**
 * Makes a run's result of what it left: tells the rest of its output, stores its artifacts, and
 * judges its end. Done again after a crash, it comes to the same.
 */
export async function collect(collecting: Collecting): Promise<ContainerResult> {
  const { spec, recorder, box, end, cause, times, seen } = collecting;
  const cgroup = (await box?.evidence()) ?? null;
  const verdict = verdictOf({ cause, end, cgroup });
  recorder.finish();
  const text = resultText(recorder, spec.caps.outputBytes);
  const files = await keepFiles(collecting);
  const outputs = await outputArtifacts(collecting, text);
  const exit = end.kind === "init" ? end.exit : null;
  const valueJson = verdict.outcome === "ok" ? await readValue(collecting) : null;
  const valueOver = verdict.outcome === "ok" && exit?.evidence.valueOver === true;
  const { error } = verdict;
  return {
    runId: spec.runId,
    outcome: valueOver ? "failed" : verdict.outcome,
    certainty: "certain",
    started: verdict.started,
    exitCode: verdict.exitCode,
    signal: verdict.signal,
    valueJson: valueOver ? null : valueJson,
    error: valueOver
      ? { name: "ValueError", message: "Cannot tell the value: it is over 1 MiB", stack: null }
      : error === null
        ? null
        : { ...error, stack: null },
    stdout: text.stdout,
    stderr: text.stderr,
    truncated: text.truncated,
    artifacts: [...files.artifacts, ...outputs],
    artifactsLeft: [...files.left],
    usage: {
      startMs: toMicroseconds((times.startedAtMs ?? times.exitedAtMs) - times.takenAtMs),
      wallMs: toMicroseconds(
        exit?.usage.wallMs ?? times.exitedAtMs - (times.startedAtMs ?? times.exitedAtMs),
      ),
      cpuMs: exit?.usage.cpuMs ?? seen.cpuMs,
      memoryPeakBytes: exit?.usage.memoryPeakBytes ?? seen.peakBytes,
      killMs: killMs(collecting),
    },
  };
}

/** No clock here tells less than a microsecond apart; the digits below are the arithmetic's. */
const toMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;

/** null where the program ended by itself, also where that was before our decision reached it. */
function killMs({ end, times }: Collecting): number | null {
  if (end.kind === "init" && end.exit.killedFor === null) return null;
  if (times.killedAtMs !== null) return toMicroseconds(times.exitedAtMs - times.killedAtMs);
  return end.kind === "init" ? end.exit.usage.killMs : null;
}

async function keepFiles({ spec, codePath, folder, box, end }: Collecting): Promise<{
  readonly artifacts: readonly ContainerArtifact[];
  readonly left: readonly LeftFile[];
}> {
  const none = { artifacts: [], left: [] };
  if (spec.artifacts.length === 0) return none;
  const leavings = box?.leavings ?? null;
  if (leavings === null || end.kind !== "init") {
    return { artifacts: [], left: [{ path: "", reason: "the container ended before its files" }] };
  }
  try {
    const listing = await leavings.listFiles();
    const { chosen, left } = chooseArtifacts(listing, spec.artifacts, spec.caps, codePath);
    const artifacts: ContainerArtifact[] = [];
    const unread: LeftFile[] = [];
    for (const entry of chosen) {
      const contents = leavings.readFile(entry.index);
      const stored = await storeArtifact(folder, artifacts.length, entry, contents);
      if (stored.ok) artifacts.push(stored.artifact);
      else unread.push({ path: entry.path, reason: stored.reason });
    }
    return { artifacts, left: [...left, ...unread].slice(0, LEFT_MAX) };
  } catch (error) {
    log("run.artifacts-lost", { runId: spec.runId, error: String(error) });
    return { artifacts: [], left: [{ path: "", reason: "the container was lost with its files" }] };
  }
}

/** Streams that neither events nor the result's text tell whole, and that are kept for that. */
async function outputArtifacts(
  { recorder, folder, spec }: Collecting,
  { truncated }: ResultText,
): Promise<readonly ContainerArtifact[]> {
  const { outputBytes, outputFileBytes } = spec.caps;
  const isTooLong =
    truncated !== null || recorder.seenBytes("stdout") + recorder.seenBytes("stderr") > outputBytes;
  if (!isTooLong || outputFileBytes === 0) return [];
  const artifacts: ContainerArtifact[] = [];
  for (const name of STREAMS) {
    const bytes = recorder.recordedBytes(name);
    if (bytes === 0) continue;
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Buffer);
    const path = OUTPUT_ARTIFACTS[name];
    artifacts.push({ path, bytes, mode: 0o644, sha256: hash.digest("hex"), kind: "output" });
  }
  return artifacts;
}

/** JSON text that the program handed over, or null: what is no JSON is no value. */
async function readValue({ spec, box, end }: Collecting): Promise<string | null> {
  if (!spec.wantsValue || end.kind !== "init" || end.exit.valueBytes === 0) return null;
  try {
    const text = (await box?.leavings?.readValue())?.toString("utf8");
    if (text === undefined) return null;
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

/** The result of a run of which nobody can say more than that it is over. */
export function lostResult(runId: string, detail: string, started: boolean): ContainerResult {
  return {
    runId,
    outcome: "infra_lost",
    certainty: "certain",
    started,
    exitCode: null,
    signal: null,
    valueJson: null,
    error: { name: "PlatformError", message: `Cannot go on with the run: ${detail}`, stack: null },
    stdout: "",
    stderr: "",
    truncated: null,
    artifacts: [],
    artifactsLeft: [],
    usage: { startMs: 0, wallMs: 0, cpuMs: 0, memoryPeakBytes: 0, killMs: null },
  };
}
