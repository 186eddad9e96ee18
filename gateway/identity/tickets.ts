import { base64url } from "jose";
import { z } from "zod";

import { base32, type NamedSecret } from "../../protocol/api-key.ts";
import { Scope } from "../../protocol/tenant.ts";
import { importHmacKey } from "./api-keys.ts";
import type { Principal } from "./tenant-gate.ts";

/** How long a ticket may be used; milliseconds. */
export const TICKET_MS = 60_000;

/** What a ticket opens, and for whom. */
export interface Ticket {
  readonly id: string;
  readonly principal: Principal;
  /** The one path that it opens. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

const Payload = z.tuple([
  z.string(),
  z.string(),
  z.string().nullable(),
  z.array(Scope).nullable(),
  z.string(),
  z.number(),
]);
type Payload = z.infer<typeof Payload>;

/** Longer than any that was issued. */
const TICKET_CHARS_MAX = 8_192;

const encoder = new TextEncoder();

/**
 * Makes and reads tickets: what a WebSocket or EventSource, which cannot send a header, has in its
 * address instead of a key. Each opens one path, once, for a minute.
 *
 * A ticket tells all of itself and is signed, so nobody keeps it; that it is used once its Tenant
 * sees to.
 */
export class TicketOffice {
  readonly #secrets: readonly NamedSecret[];
  readonly #keys = new Map<string, Promise<CryptoKey>>();

  /** The first of `secrets` signs, all verify. */
  constructor(secrets: readonly NamedSecret[]) {
    this.#secrets = secrets;
  }

  /** A ticket for `path`, from `now` on. */
  async issue(
    principal: Principal,
    path: string,
    now: number,
  ): Promise<{ readonly text: string; readonly expiresAt: number }> {
    const [first] = this.#secrets;
    if (first === undefined) throw new RangeError("Cannot sign a ticket: there is no secret");
    const { tenant, keyId, scopes } = principal;
    const expiresAt = now + TICKET_MS;
    const id = base32(crypto.getRandomValues(new Uint8Array(16)));
    const payload: Payload = [
      id,
      tenant,
      keyId,
      scopes === null ? null : [...scopes],
      path,
      expiresAt,
    ];
    const text = base64url.encode(JSON.stringify(payload));
    const mac = base64url.encode(await this.#mac(first, text));
    return { text: `bt.${first.id}.${text}.${mac}`, expiresAt };
  }

  /** A ticket that is ours and has not expired at `now`, or undefined. */
  async read(text: string, now: number): Promise<Ticket | undefined> {
    if (text.length > TICKET_CHARS_MAX) return undefined;
    const [prefix, secretId, payload, given, ...rest] = text.split(".");
    const secret = this.#secrets.find(({ id }) => id === secretId);
    if (prefix !== "bt" || payload === undefined || given === undefined) return undefined;
    if (secret === undefined || rest.length > 0) return undefined;
    const expected = encoder.encode(base64url.encode(await this.#mac(secret, payload)));
    const theirs = encoder.encode(given);
    if (expected.byteLength !== theirs.byteLength) return undefined;
    if (!crypto.subtle.timingSafeEqual(expected, theirs)) return undefined;
    const told = Payload.parse(JSON.parse(new TextDecoder().decode(base64url.decode(payload))));
    const [id, tenant, keyId, scopes, path, expiresAt] = told;
    if (now >= expiresAt) return undefined;
    return { id, principal: { tenant, keyId, scopes }, path, expiresAt };
  }

  /** Signed apart from keys: what was signed as the one is never the other. */
  async #mac({ id, secret }: NamedSecret, payload: string): Promise<Uint8Array> {
    const key = this.#keys.get(id) ?? importHmacKey(secret);
    this.#keys.set(id, key);
    const text = encoder.encode(`bulkhead-ticket\n${payload}`);
    return new Uint8Array(await crypto.subtle.sign("HMAC", await key, text));
  }
}
