import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

export interface CommandResult {
  /** Null when the command could not be started or was killed for taking too long. */
  readonly code: number | null;
  readonly stdout: string;
  /** The end of what it wrote to either stream, for a message about a failure. */
  readonly tail: string;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  /** A file that keeps everything the command wrote. */
  readonly log?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const MAX_KEPT_CHARS = 64 * 1024;
const TAIL_LINES = 5;

/** Runs a command to its end without a shell and never throws: what went wrong is in the result. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { timeoutMs, log, env }: CommandOptions,
): Promise<CommandResult> {
  if (log !== undefined) mkdirSync(dirname(log), { recursive: true });
  const kept = log === undefined ? null : createWriteStream(log, { flags: "a" });
  kept?.write(`\n$ ${command} ${args.join(" ")}\n`);
  let stdout = "";
  let both = "";
  try {
    const code = await new Promise<number | null>((resolve) => {
      const child = spawn(command, args, {
        stdio: ["ignore", "pipe", "pipe"],
        timeout: timeoutMs,
        killSignal: "SIGKILL",
        ...(env === undefined ? {} : { env }),
      });
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout = (stdout + text).slice(-MAX_KEPT_CHARS);
        both = (both + text).slice(-MAX_KEPT_CHARS);
        kept?.write(text);
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        both = (both + text).slice(-MAX_KEPT_CHARS);
        kept?.write(text);
      });
      child.once("error", (error) => {
        both += error.message;
        resolve(null);
      });
      child.once("close", resolve);
    });
    return { code, stdout, tail: lastLines(both, TAIL_LINES) };
  } finally {
    kept?.end();
  }
}

/** The last lines of a text that say something. */
export function lastLines(text: string, count: number): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-count)
    .join("\n");
}
