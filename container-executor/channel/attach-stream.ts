const HEADER_BYTES = 8;
const STDOUT = 1;
const STDERR = 2;

/** A piece of what a container wrote; pieces of one write may come apart. */
export interface AttachedPiece {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/**
 * Takes an engine's attach stream of a container without a terminal apart: each write comes with a
 * header of 8 bytes that names stream and length. Pieces are handed on as they come, so it holds
 * nothing but a header that came in part.
 */
export class AttachStream {
  #header: Buffer = Buffer.alloc(0);
  #stream: AttachedPiece["stream"] = "stdout";
  #left = 0;

  /** @returns null where these bytes are no such stream; it cannot be read any further then. */
  push(chunk: Buffer): readonly AttachedPiece[] | null {
    const pieces: AttachedPiece[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const missing = HEADER_BYTES - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.length < HEADER_BYTES) break;
        const kind = this.#header.readUInt8(0);
        if (kind !== STDOUT && kind !== STDERR) return null;
        this.#stream = kind === STDOUT ? "stdout" : "stderr";
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, this.#left);
      this.#left -= bytes.length;
      rest = rest.subarray(bytes.length);
      pieces.push({ stream: this.#stream, bytes });
    }
    return pieces;
  }
}
