import { writeSync } from "node:fs";

import { encodeFrame } from "../frames.ts";

const FRAMES_FD = 1;
/** How long to wait where the supervisor reads slower than we write; ended by the watchdog. */
const FULL_WAIT_MS = 1;

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes a frame, whole, before it returns: what comes next may be code that never lets the event
 * loop turn again. The supervisor's slowness is paid by the run's own time.
 *
 * @throws Where nobody reads any more.
 */
export function sendFrame(kind: number, payload: Uint8Array): void {
  const frame = encodeFrame(kind, payload);
  for (let sent = 0; sent < frame.byteLength;) {
    try {
      sent += writeSync(FRAMES_FD, frame, sent);
    } catch (error) {
      if (!isFull(error)) throw error;
      Atomics.wait(never, 0, 0, FULL_WAIT_MS);
    }
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EAGAIN";
