import { closeSync, openSync, readSync, writeSync } from "node:fs";

const BYTES = 8;

/**
 * The number of the last of an init's events that is on disk, in a file of its own: what the next
 * life of the service resumes from. Written when `set` returns. Owns its descriptor until `close`.
 */
export class SeqFile {
  readonly #file: number;
  readonly #buffer = Buffer.alloc(BYTES);
  #seq: number;

  private constructor(file: number, seq: number) {
    this.#file = file;
    this.#seq = seq;
  }

  static create(path: string): SeqFile {
    return new SeqFile(openSync(path, "w+", 0o600), 0);
  }

  /** As an earlier life left it; 0 where it wrote none. */
  static resume(path: string): SeqFile {
    const file = openSync(path, "r+", 0o600);
    const bytes = Buffer.alloc(BYTES);
    const read = readSync(file, bytes, 0, BYTES, 0);
    return new SeqFile(file, read === BYTES ? Number(bytes.readBigUInt64BE()) : 0);
  }

  get seq(): number {
    return this.#seq;
  }

  set(seq: number): void {
    this.#buffer.writeBigUInt64BE(BigInt(seq));
    writeSync(this.#file, this.#buffer, 0, BYTES, 0);
    this.#seq = seq;
  }

  close(): void {
    closeSync(this.#file);
  }
}
