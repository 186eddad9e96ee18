import { ConsoleLine } from "../../../protocol/sandbox-api.ts";
import type { Truncation } from "../../../protocol/sandbox-api.ts";

/** JSON is longer than its text: what lines cost besides, and characters that are escaped. */
const JSON_FACTOR = 2;
const JSON_ROOM_BYTES = 64 * 1024;

export interface OutputText {
  readonly stdout: string;
  readonly stderr: string;
  readonly console: readonly ConsoleLine[];
  readonly truncated: Truncation | null;
}

/**
 * What a cage said while its run went on, for the case that it dies before it can sum up. Kept as
 * the cage's own JSON, read only then. A cage sends no more than the run's cap; one that does is
 * not listened to beyond it.
 */
export class KeptOutput {
  readonly #maxBytes: number;
  readonly #lines: Buffer[] = [];
  #bytes = 0;

  constructor(outputBytes: number) {
    this.#maxBytes = outputBytes * JSON_FACTOR + JSON_ROOM_BYTES;
  }

  /** False where there is no more room, and the line was dropped. */
  push(json: Buffer): boolean {
    if (this.#bytes + json.byteLength > this.#maxBytes) return false;
    this.#bytes += json.byteLength;
    this.#lines.push(Buffer.from(json));
    return true;
  }

  /** The lines as a result has them. What is not a line is left out. */
  text(): OutputText {
    const console = this.#lines.flatMap((json) => {
      const line = readLine(json);
      return line === undefined ? [] : [line];
    });
    const of = (stream: ConsoleLine["stream"]): string =>
      console.map((line) => (line.stream === stream ? `${line.text}\n` : "")).join("");
    return { stdout: of("stdout"), stderr: of("stderr"), console, truncated: null };
  }
}

function readLine(json: Buffer): ConsoleLine | undefined {
  try {
    return ConsoleLine.safeParse(JSON.parse(json.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
