import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { Readable, Writable } from "node:stream";

import { Down, FrameReader, Up, WATCHDOG_WORDS } from "../../frames.ts";
import type { Frame, WatchdogWord } from "../../frames.ts";
import { launched } from "../walls/confinement.ts";
import type { Command } from "../walls/confinement.ts";
import type { CageMemory } from "../walls/memory/memory-wall.ts";

/** Kept of what a dying cage writes to standard error: V8's reason is at its beginning. Bytes. */
const STDERR_KEPT_BYTES = 16 * 1024;
/** Kept of the watchdog's pipe: one word. Bytes. */
const WORD_KEPT_BYTES = 64;
/** A cage that boots takes no core from one that runs. */
const BOOT_NICENESS = 10;

/** How a cage ended. Its process is gone when this exists. */
export interface CageDeath {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly watchdogWord: WatchdogWord | null;
  readonly stderr: string;
  readonly overran: boolean;
}

/** Who is told what a cage does. `died` comes once, last, also for a cage that never started. */
export interface CageObserver {
  ready(): void;
  frame(frame: Frame): void;
  /** The cage sent what no cage sends, and was killed. */
  broken(): void;
  died(death: CageDeath): void;
}

export interface CageStart {
  readonly id: number;
  readonly uid: number;
  /** Given the number under which the filter's file is open in the child, where there is one. */
  readonly command: (seccompFd: number | null) => Command;
  /** Compiled filter for system calls; null for none. */
  readonly seccompFile: string | null;
  readonly memory: CageMemory;
}

const SECCOMP_FD = 4;

/** One live cage: a process tree, its pipes, its memory group. Dead once `died` was called. */
export class CageProcess {
  readonly id: number;
  readonly uid: number;
  readonly memory: CageMemory;
  readonly #observer: CageObserver;
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  readonly #reader = new FrameReader();
  #monitors = 0;
  #pid: number | undefined;
  #draining: Promise<void> | null = null;
  #hurried = false;
  #stderr = "";
  #words = "";
  #broken = false;
  #dead = false;

  /** Starts the process; what goes wrong with it later is told to `observer`. Throws where nothing could be started. */
  constructor(start: CageStart, observer: CageObserver) {
    this.id = start.id;
    this.uid = start.uid;
    this.memory = start.memory;
    this.#observer = observer;
    const filter = start.seccompFile === null ? null : openSync(start.seccompFile, "r");
    try {
      const command = start.command(filter === null ? null : SECCOMP_FD);
      const { file, args, monitors } = launched(command, start.memory.processList);
      this.#monitors = monitors;
      this.#child = spawn(file, args, {
        env: {},
        cwd: "/",
        stdio: ["pipe", "pipe", "pipe", "pipe", ...(filter === null ? [] : [filter])],
      });
    } finally {
      if (filter !== null) closeSync(filter);
    }
    // Told once more, later; what could not be started is told by the throw.
    this.#child.on("error", () => {});
    // Without a process there are no pipes either: the machine is out of files or processes.
    if (this.#child.pid === undefined) throw new Error("Cannot start a cage: no process was made");
    const [stdin, stdout, stderr, words] = this.#child.stdio;
    this.#stdin = stdin as Writable;
    this.#lowerPriority();
    this.#listen(stdout as Readable, stderr as Readable, words as Readable);
  }

  /** The cage's own Node process, as this machine numbers it; undefined before it exists. */
  get pid(): number | undefined {
    this.#pid ??= this.#findPid();
    return this.#pid;
  }

  /**
   * Writes a frame in parts, uncopied. False where the pipe is full: whoever can wait should, for
   * `whenWritable`.
   */
  send(kind: number, ...payload: readonly Uint8Array[]): boolean {
    if (!this.#stdin.writable) return true;
    const length = payload.reduce((sum, part) => sum + part.byteLength, 1);
    const head = Buffer.allocUnsafe(5);
    head.writeUInt32LE(length, 0);
    head.writeUInt8(kind, 4);
    this.#stdin.cork();
    let roomy = this.#stdin.write(head);
    for (const part of payload) roomy = this.#stdin.write(part);
    this.#stdin.uncork();
    return roomy;
  }

  cancelRun(): void {
    this.send(Down.cancel);
  }

  /** Resolves once the pipe has room again, or is gone. */
  async whenWritable(): Promise<void> {
    if (!this.#stdin.writableNeedDrain || this.#stdin.destroyed) return;
    // One wait for all who wait: a run's fetches may be many.
    this.#draining ??= this.#drained().finally(() => {
      this.#draining = null;
    });
    await this.#draining;
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stdin.off("drain", done);
        this.#stdin.off("close", done);
        resolve();
      };
      this.#stdin.once("drain", done);
      this.#stdin.once("close", done);
    });
  }

  /** From now on it has the same share of the cores as any: it has booted, or somebody waits. */
  hurry(): void {
    if (this.#hurried) return;
    const { pid } = this;
    this.#hurried = pid !== undefined;
    // Who is not there yet inherits it.
    const first = pid ?? this.#child.pid;
    if (first !== undefined) prioritize(threadsOf(first), 0);
  }

  /** Ends the cage at once. Its death is told when it is one. */
  kill(): void {
    if (this.#dead) return;
    // Before the cage's own process is there, what makes it ends with whoever watches over it.
    const target = this.pid ?? this.#lineage().at(-1);
    if (target === undefined || !signal(target)) this.#child.kill("SIGKILL");
  }

  #findPid(): number | undefined {
    const lineage = this.#lineage();
    return lineage.length > this.#monitors ? lineage.at(-1) : undefined;
  }

  /** What was started, and below it each monitor's only child, as far as they are there. */
  #lineage(): readonly number[] {
    const lineage: number[] = [];
    let next = this.#child.pid;
    while (next !== undefined && lineage.length <= this.#monitors) {
      lineage.push(next);
      [next] = childrenOf(next);
    }
    return lineage;
  }

  #lowerPriority(): void {
    const { pid } = this.#child;
    if (pid !== undefined) prioritize([pid], BOOT_NICENESS);
  }

  #listen(stdout: Readable, stderr: Readable, words: Readable): void {
    // A pipe to a dead process fails; its death is told below.
    for (const stream of [this.#stdin, stdout, stderr, words]) stream.on("error", () => {});
    stdout.on("data", (chunk: Buffer) => {
      this.#receive(chunk);
    });
    stderr.setEncoding("latin1").on("data", (text: string) => {
      if (this.#stderr.length < STDERR_KEPT_BYTES) this.#stderr += text;
    });
    words.setEncoding("latin1").on("data", (text: string) => {
      if (this.#words.length < WORD_KEPT_BYTES) this.#words += text;
      // Where it is process 1 of its namespace, the kernel shields it from its own SIGKILL.
      if (watchdogWord(this.#words) !== null) this.kill();
    });
    this.#child.once("close", (exitCode, signalName) => {
      this.#die(exitCode, signalName, this.#stderr);
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#broken) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (frame.kind === Up.ready) {
          this.hurry();
          this.#observer.ready();
        } else this.#observer.frame(frame);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#broken = true;
      this.#observer.broken();
    }
  }

  #die(exitCode: number | null, signalName: string | null, stderr: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#stdin.destroy();
    this.#observer.died({
      exitCode,
      signal: signalName,
      watchdogWord: watchdogWord(this.#words),
      stderr: stderr.slice(0, STDERR_KEPT_BYTES),
      overran: this.memory.overran(),
    });
  }
}

const watchdogWord = (text: string): WatchdogWord | null =>
  WATCHDOG_WORDS.find((word) => text.startsWith(`${word}\n`)) ?? null;

function signal(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It is dead, and its parent about to say so.
    return false;
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}

function threadsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [pid];
  }
}

/** Priorities are a thread's on Linux. Where they may not be set, all are alike. */
function prioritize(threads: readonly number[], niceness: number): void {
  for (const thread of threads) {
    try {
      setPriority(thread, niceness);
    } catch {
      return;
    }
  }
}
