/**
 * The frames that a container's init and the executor exchange: the table of `init/frames.h`, which
 * says what each carries, in TypeScript. A frame is a u32 length of its payload, a u8 type and the
 * payload; numbers are big-endian.
 */
export const IN = {
  file: 0x01,
  fileMore: 0x02,
  job: 0x03,
  stdin: 0x04,
  stdinEnd: 0x05,
  ack: 0x06,
  renew: 0x07,
  cancel: 0x08,
  stats: 0x09,
  list: 0x0a,
  read: 0x0b,
  sync: 0x0c,
  bye: 0x0d,
} as const;

export const OUT = {
  ready: 0x81,
  synced: 0x82,
  started: 0x83,
  output: 0x84,
  exit: 0x85,
  stdinTaken: 0x86,
  stats: 0x87,
  listing: 0x88,
  data: 0x89,
} as const;

/** The version that READY names. */
export const PROTOCOL_VERSION = 1;

export const FRAME_HEADER_BYTES = 5;
export const KEY_BYTES = 16;

/** The longest payloads: of a JOB with its arguments and environment, and of anything init tells. */
export const MAX_IN_PAYLOAD = 4 * 1024 * 1024;
export const MAX_OUT_PAYLOAD = 64 * 1024;

/** At the end of every payload that init tells once it has a job; see `seal.ts`. */
export const SEAL_BYTES = 16;

/** How far standard input may be sent ahead of what the job has taken; bytes. */
export const STDIN_WINDOW = 64 * 1024;

/** What one READ is answered with, unless the file ends before; bytes. */
export const DATA_BYTES = MAX_OUT_PAYLOAD - 17;

/** In place of a file's index: what the job wrote to its value pipe. */
export const VALUE_INDEX = 0xffff_ffff;

export interface Frame {
  readonly type: number;
  /** Shares memory with what was received: copy what is to be kept. */
  readonly payload: Buffer;
}

/** A whole frame, ready to send. */
export function encodeFrame(type: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame[4] = type;
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Frames found, and why none can follow where the bytes are no frames. */
export interface Decoded {
  readonly frames: readonly Frame[];
  readonly broken: string | null;
}

/**
 * Finds whole frames in bytes that come in pieces of any size. It holds at most one frame, and one
 * that announces more than init ever tells breaks it for good: nothing after that means anything.
 */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);
  #broken: string | null = null;
  /** How the SYNCED frame begins that is waited for; null once frames are taken as they come. */
  #syncStart: Buffer | null;

  /** @param syncKey Everything before a SYNCED frame with this key is skipped. */
  constructor(syncKey: Uint8Array | null = null) {
    this.#syncStart =
      syncKey === null ? null : Buffer.concat([SYNCED_HEADER, syncKey.subarray(0, KEY_BYTES)]);
  }

  push(chunk: Uint8Array): Decoded {
    if (this.#broken !== null) return { frames: [], broken: this.#broken };
    this.#pending =
      this.#pending.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.#pending, chunk]);
    if (!this.#isInStep()) return { frames: [], broken: null };
    const frames: Frame[] = [];
    let at = 0;
    while (this.#pending.length - at >= FRAME_HEADER_BYTES) {
      const length = this.#pending.readUInt32BE(at);
      if (length > MAX_OUT_PAYLOAD + SEAL_BYTES) {
        this.#broken = `a frame of ${length} bytes, more than ${MAX_OUT_PAYLOAD}`;
        break;
      }
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > this.#pending.length) break;
      frames.push({
        type: this.#pending.readUInt8(at + 4),
        payload: this.#pending.subarray(at + FRAME_HEADER_BYTES, end),
      });
      at = end;
    }
    this.#pending = this.#pending.subarray(at);
    return { frames, broken: this.#broken };
  }

  #isInStep(): boolean {
    if (this.#syncStart === null) return true;
    const at = this.#pending.indexOf(this.#syncStart);
    if (at < 0) {
      this.#pending = this.#pending.subarray(-this.#syncStart.length + 1);
      return false;
    }
    this.#pending = this.#pending.subarray(at);
    this.#syncStart = null;
    return true;
  }
}

const SYNCED_HEADER = encodeFrame(OUT.synced, new Uint8Array(KEY_BYTES + 16 + SEAL_BYTES)).subarray(
  0,
  FRAME_HEADER_BYTES,
);
