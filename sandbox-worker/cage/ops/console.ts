import type { ConsoleLevel, ConsoleLine } from "../../../protocol/sandbox-api.ts";
import type { HostOps } from "../../guest/host-ops.ts";
import type { Output } from "../output.ts";

const STREAMS: Readonly<Record<ConsoleLevel, ConsoleLine["stream"]>> = {
  debug: "stdout",
  log: "stdout",
  info: "stdout",
  warn: "stderr",
  error: "stderr",
  trace: "stderr",
};

const isLevel = (level: string): level is ConsoleLevel => Object.hasOwn(STREAMS, level);

/** A line as the guest said it, with stream and time. What is no level counts as `log`. */
export function consoleLine(level: string, text: string, atMs: number): ConsoleLine {
  const known = isLevel(level) ? level : "log";
  // No clock here tells less than a microsecond apart; the digits below are the arithmetic's.
  return { level: known, stream: STREAMS[known], atMs: Math.round(atMs * 1000) / 1000, text };
}

/** A run's console: every line under the output cap, and, where the run streams, sent at once. */
export class RunConsole implements Pick<HostOps, "log"> {
  readonly #output: Output;
  readonly #atMs: () => number;
  readonly #mapText: (text: string) => string;
  readonly #stream: ((line: ConsoleLine) => void) | null;
  #streamable: number;

  /**
   * `mapText` places stacks in the sources as sent. `stream` is given lines of at most `capBytes`
   * in all; the end has what came after.
   */
  constructor(
    output: Output,
    capBytes: number,
    atMs: () => number,
    mapText: (text: string) => string,
    stream: ((line: ConsoleLine) => void) | null,
  ) {
    this.#output = output;
    this.#atMs = atMs;
    this.#mapText = mapText;
    this.#stream = stream;
    this.#streamable = capBytes;
  }

  log(level: string, text: string): void {
    const line = consoleLine(level, this.#mapText(text), this.#atMs());
    this.#output.push(line);
    if (this.#stream === null || this.#streamable <= 0) return;
    this.#streamable -= Buffer.byteLength(line.text) + 1;
    if (this.#streamable >= 0) this.#stream(line);
  }
}
