import type { RunCaps } from "../../../protocol/sandbox-api.ts";
import type { FetchFailure, FetchHead, FetchStart } from "../../cage-protocol.ts";
import { Up } from "../../frames.ts";
import type { GuestFetch, HostOps } from "../../guest/host-ops.ts";
import type { PendingOps } from "./pending-ops.ts";

/** A request's body goes up in one frame. Bytes. */
const REQUEST_BODY_MAX = 16 * 1024 * 1024;

/** What a fetch tells the guest; each is a call into its runtime. */
export type FetchDelivery =
  | { readonly kind: "fetchHead"; readonly id: number; readonly head: FetchHead }
  | { readonly kind: "fetchChunk"; readonly id: number; readonly chunk: Buffer }
  | { readonly kind: "fetchEnd"; readonly id: number }
  | {
      readonly kind: "fetchFailure";
      readonly id: number;
      readonly failure: Pick<FetchFailure, "kind" | "message">;
    };

/** Ids on the wire are of the cage's whole life: a late answer to an earlier run finds nobody. */
let lastWireId = 0;

const wireIdPayload = (wireId: number): Buffer => {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(wireId, 0);
  return payload;
};

/** A run's outgoing requests. The cage has no network: the supervisor's guard makes them. */
export class RunFetches implements Pick<HostOps, "fetchStart" | "fetchCancel"> {
  readonly #caps: Pick<RunCaps, "fetches" | "fetchBytes">;
  readonly #pending: PendingOps;
  readonly #send: (kind: number, payload: Uint8Array) => void;
  readonly #deliver: (delivery: FetchDelivery) => void;
  readonly #guestIds = new Map<number, number>();
  readonly #wireIds = new Map<number, number>();
  readonly #refusals = new Map<number, NodeJS.Immediate>();
  #started = 0;
  #receivedBytes = 0;

  constructor(
    caps: Pick<RunCaps, "fetches" | "fetchBytes">,
    pending: PendingOps,
    send: (kind: number, payload: Uint8Array) => void,
    deliver: (delivery: FetchDelivery) => void,
  ) {
    this.#caps = caps;
    this.#pending = pending;
    this.#send = send;
    this.#deliver = deliver;
  }

  fetchStart(id: number, headJson: string, body: string | null): boolean {
    if (!this.#pending.add()) return false;
    const bytes = body === null ? Buffer.alloc(0) : Buffer.from(body, "latin1");
    if (this.#started >= this.#caps.fetches) {
      const message = `Cannot fetch: at most ${this.#caps.fetches} requests a run`;
      this.#refuse(id, { kind: "too_many", message });
      return true;
    }
    if (bytes.byteLength > REQUEST_BODY_MAX) {
      const message = `Cannot fetch: the request's body is over ${REQUEST_BODY_MAX} bytes`;
      this.#refuse(id, { kind: "too_large", message });
      return true;
    }
    this.#started++;
    const wireId = ++lastWireId;
    this.#guestIds.set(wireId, id);
    this.#wireIds.set(id, wireId);
    const { method, url, headers, redirect } = JSON.parse(headJson) as GuestFetch;
    const head: FetchStart = {
      fetchId: wireId,
      method,
      url,
      headers,
      hasBody: body !== null,
      redirect,
    };
    this.#send(Up.fetchStart, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]));
    return true;
  }

  fetchCancel(id: number): void {
    const refusal = this.#refusals.get(id);
    if (refusal !== undefined) {
      clearImmediate(refusal);
      this.#refusals.delete(id);
      this.#pending.remove();
      return;
    }
    const wireId = this.#wireIds.get(id);
    if (wireId === undefined) return;
    this.#forget(wireId, id);
    this.#send(Up.fetchCancel, wireIdPayload(wireId));
  }

  /** The supervisor's answers; those to a fetch that nobody waits for change nothing. */
  head(head: FetchHead): void {
    const id = this.#guestIds.get(head.fetchId);
    if (id !== undefined) this.#deliver({ kind: "fetchHead", id, head });
  }

  chunk(payload: Buffer): void {
    const wireId = payload.readUInt32LE(0);
    const id = this.#guestIds.get(wireId);
    if (id === undefined) return;
    const chunk = payload.subarray(4);
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes <= this.#caps.fetchBytes) {
      this.#deliver({ kind: "fetchChunk", id, chunk });
      return;
    }
    this.fetchCancel(id);
    const message = `Cannot read on: at most ${this.#caps.fetchBytes} bytes of responses a run`;
    this.#deliver({ kind: "fetchFailure", id, failure: { kind: "too_large", message } });
  }

  end(payload: Buffer): void {
    const wireId = payload.readUInt32LE(0);
    const id = this.#guestIds.get(wireId);
    if (id === undefined) return;
    this.#forget(wireId, id);
    this.#deliver({ kind: "fetchEnd", id });
  }

  failure(failure: FetchFailure): void {
    const id = this.#guestIds.get(failure.fetchId);
    if (id === undefined) return;
    this.#forget(failure.fetchId, id);
    this.#deliver({ kind: "fetchFailure", id, failure });
  }

  /** Ends every fetch under way. */
  abort(): void {
    for (const refusal of this.#refusals.values()) clearImmediate(refusal);
    this.#refusals.clear();
    for (const wireId of this.#guestIds.keys()) this.#send(Up.fetchCancel, wireIdPayload(wireId));
    this.#guestIds.clear();
    this.#wireIds.clear();
  }

  #refuse(id: number, failure: Pick<FetchFailure, "kind" | "message">): void {
    const refusal = setImmediate(() => {
      this.#refusals.delete(id);
      this.#pending.remove();
      this.#deliver({ kind: "fetchFailure", id, failure });
    });
    this.#refusals.set(id, refusal);
  }

  #forget(wireId: number, id: number): void {
    this.#guestIds.delete(wireId);
    this.#wireIds.delete(id);
    this.#pending.remove();
  }
}
