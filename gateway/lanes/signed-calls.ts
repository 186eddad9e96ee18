import { BOOT_HEADER, SIGNATURE_HEADER } from "../../protocol/signature.ts";
import type { ExecutorSigner } from "./executor-signer.ts";

/** A call to an executor, before it is signed. */
export interface SignedCall {
  readonly method: string;
  /** The executor's address. */
  readonly url: string;
  /** Path and query. */
  readonly target: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

export type CallAnswer =
  | { readonly kind: "answered"; readonly response: Response }
  /**
   * No head of an answer came. `mayHaveArrived`: what was sent was good enough to be heeded.
   */
  | { readonly kind: "unreachable"; readonly mayHaveArrived: boolean }
  /** It refuses our signature, so it heeded nothing. */
  | { readonly kind: "unsigned" };

/** Sent where no boot id is known: the refusal names the right one. */
const UNKNOWN_BOOT = "unknown";

/** Executors that one Worker isolate speaks to; addresses come from the configuration, so they are few. */
const BOOTS_MAX = 1_000;

/**
 * Signs and sends calls, and signs once more with the boot id that a restarted executor names.
 *
 * Boot ids are remembered by address until a call fails, so what is sent next to an executor that
 * is gone carries none and provably begins nothing.
 */
export class SignedCalls {
  readonly #signer: ExecutorSigner;
  readonly #boots = new Map<string, string>();

  constructor(signer: ExecutorSigner) {
    this.#signer = signer;
  }

  async send(call: SignedCall): Promise<CallAnswer> {
    const known = this.#boots.get(call.url) ?? UNKNOWN_BOOT;
    const first = await this.#send(call, known);
    const named = await this.#bootNamedBy(call.url, first);
    if (named === undefined) return first;
    if (named === known) return { kind: "unsigned" };
    const second = await this.#send(call, named);
    return (await this.#bootNamedBy(call.url, second)) === undefined
      ? second
      : { kind: "unsigned" };
  }

  async #send(call: SignedCall, bootId: string): Promise<CallAnswer> {
    const { method, url, target, body, contentType, signal } = call;
    const signature = await this.#signer.sign({ method, target, body: body ?? EMPTY, bootId });
    const headers: Record<string, string> = { [SIGNATURE_HEADER]: signature };
    if (contentType !== undefined) headers["Content-Type"] = contentType;
    try {
      const init = { method, headers, signal, redirect: "manual" } as const;
      const response = await fetch(url + target, body === undefined ? init : { ...init, body });
      if (response.status === 401 && !response.headers.has(BOOT_HEADER)) {
        await response.body?.cancel();
        return { kind: "unsigned" };
      }
      return { kind: "answered", response };
    } catch {
      this.#boots.delete(url);
      return { kind: "unreachable", mayHaveArrived: bootId !== UNKNOWN_BOOT };
    }
  }

  /** The boot id to sign with, where the answer is a refusal that names it. */
  async #bootNamedBy(url: string, answer: CallAnswer): Promise<string | undefined> {
    if (answer.kind !== "answered" || answer.response.status !== 401) return undefined;
    const named = answer.response.headers.get(BOOT_HEADER) ?? UNKNOWN_BOOT;
    await answer.response.body?.cancel();
    if (!this.#boots.has(url) && this.#boots.size >= BOOTS_MAX) this.#boots.clear();
    this.#boots.set(url, named);
    return named;
  }
}

const EMPTY = new Uint8Array();
