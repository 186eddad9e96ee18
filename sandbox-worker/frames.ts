/**
 * What a supervisor and its cage say to each other: frames on two one-way byte streams.
 *
 * A frame is a length (u32, little-endian, of what follows), a kind (u8) and a payload. Payloads
 * are JSON text or raw bytes; tenant bytes go through the supervisor unread. The cage's standard
 * input carries frames down, its standard output frames up, its fd 3 the watchdog's last word.
 */

/** Frames from the supervisor to its cage. */
export const Down = {
  /** A `RunStart` as JSON, one newline, then the work (`RunWork` as JSON), unread until here. */
  run: 1,
  /** Ends the run under way as `cancelled`. No payload. */
  cancel: 2,
  /** `FetchHead` as JSON. */
  fetchHead: 3,
  /** u32 fetch id, then bytes of the body. */
  fetchChunk: 4,
  /** u32 fetch id. The body is whole. */
  fetchEnd: 5,
  /** `FetchFailure` as JSON. */
  fetchFailure: 6,
} as const;

/** Frames from a cage to its supervisor. */
export const Up = {
  /** The cage can take a run: sent once at start, and after each run when it is clean again. No payload. */
  ready: 65,
  /** The order's code was linked and its first statement is about to run. No payload. */
  started: 66,
  /** `ConsoleLine` as JSON; only for a run that streams. */
  console: 67,
  /** `FetchStart` as JSON, one newline, then bytes of the request's body. */
  fetchStart: 68,
  /** u32 fetch id. Nobody waits for it any more. */
  fetchCancel: 69,
  /** `CageEnd` as JSON. The last frame of a run. */
  end: 70,
} as const;

/** What the watchdog writes to fd 3 before it kills its process: one of these, and a newline. */
export const WATCHDOG_WORDS = ["cpu_timeout", "wall_timeout", "memory_limit"] as const;
export type WatchdogWord = (typeof WATCHDOG_WORDS)[number];

/** A frame over this length is not ours: the peer is broken or hostile. Bytes. */
export const FRAME_MAX_BYTES = 64 * 1024 * 1024;

/** A frame's bytes, ready to be written. */
export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + payload.byteLength);
  frame.writeUInt32LE(1 + payload.byteLength, 0);
  frame.writeUInt8(kind, 4);
  frame.set(payload, 5);
  return frame;
}

export interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
}

/**
 * Cuts a byte stream into frames, whatever the chunks it arrives in. A payload is a view of what
 * arrived: whoever keeps it for longer than a moment copies it, or keeps its whole chunk.
 */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /**
   * Takes a chunk, gives the frames that it completes.
   *
   * @throws {RangeError} On a frame over `FRAME_MAX_BYTES` or of no length; the stream is then useless.
   */
  *push(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    while (this.#bytes >= 4) {
      const first = this.#chunks[0];
      if (first === undefined) return;
      const head = first.byteLength >= 4 ? first : this.#joined();
      const length = head.readUInt32LE(0);
      if (length < 1 || length > FRAME_MAX_BYTES) {
        throw new RangeError(`Cannot read a frame of ${length} bytes: at most ${FRAME_MAX_BYTES}`);
      }
      if (this.#bytes < 4 + length) return;
      const all = this.#joined();
      const rest = all.subarray(4 + length);
      this.#chunks = rest.byteLength === 0 ? [] : [rest];
      this.#bytes = rest.byteLength;
      yield { kind: all.readUInt8(4), payload: all.subarray(5, 4 + length) };
    }
  }

  /** A single chunk is left as it is: copied for each of its frames, it would cost its square. */
  #joined(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
