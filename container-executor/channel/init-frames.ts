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

const FRAME_HEADER_BYTES = 5;
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
  #parts: Buffer[] = [];
  #held = 0;
  /** With fewer bytes than these nothing can be found. */
  #needed = FRAME_HEADER_BYTES;
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
    this.#parts.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#held += chunk.byteLength;
    if (this.#held < this.#needed) return { frames: [], broken: null };
    const bytes = this.#parts.length === 1 ? this.#parts[0] : undefined;
    const frames: Frame[] = [];
    const rest = this.#split(this.#inStep(bytes ?? Buffer.concat(this.#parts)), frames);
    this.#parts = [rest];
    this.#held = rest.length;
    return { frames, broken: this.#broken };
  }

  /** Finds whole frames; what is left is the beginning of another. */
  #split(bytes: Buffer, frames: Frame[]): Buffer {
    this.#needed = FRAME_HEADER_BYTES;
    if (this.#syncStart !== null) return bytes;
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > MAX_OUT_PAYLOAD + SEAL_BYTES) {
        this.#broken = `a frame of ${length} bytes, more than ${MAX_OUT_PAYLOAD + SEAL_BYTES}`;
        break;
      }
      const start = at + FRAME_HEADER_BYTES;
      if (start + length > bytes.length) {
        this.#needed = FRAME_HEADER_BYTES + length;
        break;
      }
      const payload = bytes.subarray(start, start + length);
      frames.push({ type: bytes.readUInt8(at + 4), payload });
      at = start + length;
    }
    return bytes.subarray(at);
  }

  /** From the frame that is waited for; as long as it has not come, what may be its beginning. */
  #inStep(bytes: Buffer): Buffer {
    if (this.#syncStart === null) return bytes;
    const at = bytes.indexOf(this.#syncStart);
    if (at < 0) return bytes.subarray(-this.#syncStart.length + 1);
    this.#syncStart = null;
    return bytes.subarray(at);
  }
}

const SYNCED_HEADER = encodeFrame(OUT.synced, new Uint8Array(KEY_BYTES + 16 + SEAL_BYTES)).subarray(
  0,
  FRAME_HEADER_BYTES,
);
