import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable, Writable } from "node:stream";

import type { RunCaps, RunWork } from "../../../protocol/sandbox-api.ts";
import { buildCage } from "../../../sandbox-worker/build-cage.ts";
import { buildGuest, guestArguments } from "../../../sandbox-worker/build-guest.ts";
import type { CageEnd, RunStart } from "../../../sandbox-worker/cage-protocol.ts";
import { Down, encodeFrame, FrameReader, Up, type Frame } from "../../../sandbox-worker/frames.ts";

const CAPS: RunCaps = {
  wallMs: 5_000,
  cpuMs: 5_000,
  memoryMb: 64,
  outputBytes: 1024 * 1024,
  resultBytes: 1024 * 1024,
  fetches: 10,
  fetchMs: 5_000,
  fetchBytes: 1024 * 1024,
  pendingOps: 1_000,
};

/** What a run is made of, where it is not the plainest. */
export interface RunParts {
  readonly modules?: Readonly<Record<string, string>>;
  readonly language?: RunWork["language"];
  readonly isolation?: RunStart["isolation"];
  readonly caps?: Partial<RunCaps>;
  readonly input?: unknown;
  readonly env?: Readonly<Record<string, string>>;
  readonly net?: readonly string[];
  readonly stream?: boolean;
  readonly request?: RunWork["request"];
}

type CageResult = Extract<CageEnd, { kind: "result" }>;

/** How a run ended: by a frame, or by the death of its process. */
export type Ended =
  | { readonly how: "result"; readonly end: CageResult; readonly frames: readonly Frame[] }
  | { readonly how: "unlinkable"; readonly specifier: string; readonly importer: string }
  | { readonly how: "death"; readonly signal: NodeJS.Signals | null; readonly word: string };

interface Program {
  readonly folder: string;
  readonly args: readonly string[];
}

/** Builds the cage's program as it is shipped, into a folder of its own. */
async function buildProgram(): Promise<Program> {
  const folder = await mkdtemp(path.join(tmpdir(), "bulkhead-cage-"));
  const [cage, guest] = await Promise.all([buildCage(folder), buildGuest(folder)]);
  return {
    folder,
    args: [
      "--no-node-snapshot",
      "--permission",
      "--allow-addons",
      "--allow-worker",
      "--disable-warning=SecurityWarning",
      ...cage.readPaths.map((readable) => `--allow-fs-read=${readable}`),
      cage.mainPath,
      ...guestArguments(guest),
      "--version=9.8.7",
    ],
  };
}

async function removeProgram({ folder }: Program): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

let lastRun = 0;

/** A cage as a supervisor would start it, without its walls. */
export class CageProcess {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #frames: Frame[] = [];
  readonly #waiting: (() => void)[] = [];
  #word = "";
  #exit: { readonly signal: NodeJS.Signals | null } | null = null;
  stderr = "";

  constructor({ args }: Program) {
    this.#child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: {},
    });
    const [input, output, errors, word] = this.#child.stdio as unknown as [
      Writable,
      Readable,
      Readable,
      Readable,
    ];
    this.#input = input;
    this.#input.on("error", () => {
      // The process has died; its exit says how.
    });
    const reader = new FrameReader();
    output.on("data", (chunk: Buffer) => {
      this.#frames.push(...reader.push(chunk));
      this.#wake();
    });
    errors.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    word.on("data", (chunk: Buffer) => (this.#word += chunk.toString()));
    this.#child.on("close", (_code, signal) => {
      this.#exit = { signal };
      this.#wake();
    });
  }

  get dead(): boolean {
    return this.#exit !== null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(kind: number, payload: Uint8Array | string = ""): void {
    this.#input.write(encodeFrame(kind, Buffer.from(payload)));
  }

  endInput(): void {
    this.#input.end();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** The next frame, or null where the process has died. */
  async frame(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#exit !== null) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Waits for the frame that says the cage can take a run. */
  async ready(): Promise<void> {
    const frame = await this.frame();
    if (frame?.kind !== Up.ready) {
      throw new Error(`Not ready but ${frame?.kind ?? `dead: ${this.stderr}`}`);
    }
  }

  start(code: string, parts: RunParts = {}): void {
    const { language = "typescript", isolation = "run" } = parts;
    const entry = language === "typescript" ? "main.ts" : "main.js";
    const start: RunStart = {
      runId: `run_${++lastRun}`,
      isolation,
      caps: { ...CAPS, ...parts.caps },
      net: parts.net ?? [],
      stream: parts.stream ?? false,
    };
    const work: RunWork = {
      language,
      entry,
      modules: { ...parts.modules, [entry]: code },
      inputJson: parts.input === undefined ? null : JSON.stringify(parts.input),
      request: parts.request ?? null,
      env: parts.env ?? {},
    };
    this.send(Down.run, `${JSON.stringify(start)}\n${JSON.stringify(work)}`);
  }

  /** Waits for the end of the run under way. */
  async ended(): Promise<Ended> {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.frame();
      if (frame === null) {
        return { how: "death", signal: this.#exit?.signal ?? null, word: this.#word };
      }
      if (frame.kind !== Up.end) {
        frames.push(frame);
        continue;
      }
      const end = JSON.parse(frame.payload.toString()) as CageEnd;
      if (end.kind === "unlinkable") return { how: "unlinkable", ...end.unlinkable };
      return { how: "result", end, frames };
    }
  }

  /** A whole run that ends with a frame; the cage is ready again where it can be. */
  async run(code: string, parts: RunParts = {}): Promise<CageResult> {
    this.start(code, parts);
    const ended = await this.ended();
    if (ended.how !== "result") throw new Error(`Ended by ${JSON.stringify(ended)}`);
    if (ended.end.reusable) await this.ready();
    return ended.end;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** One cage for a file's tests, made anew where a test has cost the last one its life. */
export class CageFixture {
  #program: Program | null = null;
  #cage: CageProcess | null = null;

  async open(): Promise<void> {
    this.#program = await buildProgram();
  }

  async cage(): Promise<CageProcess> {
    if (this.#program === null) throw new Error("The fixture is not open");
    if (this.#cage === null || this.#cage.dead) {
      this.#cage = new CageProcess(this.#program);
      await this.#cage.ready();
    }
    return this.#cage;
  }

  /** A run in the file's cage. */
  async run(code: string, parts: RunParts = {}): Promise<CageResult> {
    return (await this.cage()).run(code, parts);
  }

  /** A run that may cost the cage its life; the next test gets another then. */
  async runToAnyEnd(code: string, parts: RunParts = {}): Promise<Ended> {
    const cage = await this.cage();
    cage.start(code, parts);
    const ended = await cage.ended();
    if (ended.how === "result" && !ended.end.reusable) {
      cage.kill();
      this.#cage = null;
    } else if (ended.how !== "death") {
      await cage.ready();
    }
    return ended;
  }

  async close(): Promise<void> {
    this.#cage?.kill();
    if (this.#program !== null) await removeProgram(this.#program);
  }
}

/** The outcome that a supervisor gives: the end's, or what the process's last word says. */
export function outcomeOf(ended: Ended): string {
  switch (ended.how) {
    case "result":
      return ended.end.outcome;
    case "unlinkable":
      return "unlinkable";
    case "death":
      return `${ended.signal}: ${ended.word.trim()}`.replace("SIGKILL: ", "");
  }
}

/** The value of a run that must have ended well. */
export function valueOf(end: CageResult): unknown {
  if (end.outcome !== "ok") throw new Error(`Not ok: ${JSON.stringify(end)}`);
  return JSON.parse(end.valueJson ?? "null");
}
