import { createHmac, timingSafeEqual } from "node:crypto";

import { KEY_BYTES, SEAL_BYTES } from "./init-frames.ts";

/** What is made of a channel's one secret: neither can be found from the other. */
export interface ChannelKeys {
  /** Finds the way back into the frames after a re-attach; goes over the wire then. */
  readonly sync: Buffer;
  /** Seals what init says; goes over the wire once, before any process of the job lives. */
  readonly seal: Buffer;
}

export function channelKeys(secret: Uint8Array): ChannelKeys {
  const derive = (use: string) =>
    createHmac("sha256", secret).update(use).digest().subarray(0, KEY_BYTES);
  return { sync: derive("sync"), seal: derive("seal") };
}

/** A frame's payload without its seal; null where it is not init's own. */
export function unseal(type: number, payload: Buffer, key: Buffer): Buffer | null {
  if (payload.length < SEAL_BYTES) return null;
  const content = payload.subarray(0, -SEAL_BYTES);
  const seal = createHmac("sha256", key)
    .update(Uint8Array.of(type))
    .update(content)
    .digest()
    .subarray(0, SEAL_BYTES);
  return timingSafeEqual(seal, payload.subarray(-SEAL_BYTES)) ? content : null;
}
