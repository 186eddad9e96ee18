import { webcrypto } from "node:crypto";

import { CRYPTO_OPERATIONS, type CryptoJson, type HostOps } from "../../guest/host-ops.ts";
import { decodeArgument, encodeAnswer, type CryptoArgument } from "./crypto-json.ts";
import type { PendingOps } from "./pending-ops.ts";

/** Arguments of one operation, as JSON. Characters. */
const CRYPTO_ARGUMENTS_MAX = 32 * 1024 * 1024;
/** A derivation runs to its end on a thread that nothing stops: this many take about half a second. */
const PBKDF2_ITERATIONS_MAX = 1_000_000;
/** Making a larger key takes seconds, on a thread that nothing stops. Bits. */
const RSA_BITS_MAX = 4_096;

type CryptoOperation = (typeof CRYPTO_OPERATIONS)[number];

const isOperation = (name: string): name is CryptoOperation =>
  CRYPTO_OPERATIONS.some((known) => known === name);

/** Where answers go, and who counts the threads' time. */
export interface CryptoSink {
  countPool(): void;
  crypto(id: number, ok: boolean, json: string): void;
}

/** A run's WebCrypto operations, by Node's own implementation on its thread pool. */
export class RunCrypto implements Pick<HostOps, "cryptoStart"> {
  readonly #pending: PendingOps;
  readonly #sink: CryptoSink;
  #underWay = 0;
  #aborted = false;

  constructor(pending: PendingOps, sink: CryptoSink) {
    this.#pending = pending;
    this.#sink = sink;
  }

  /** Operations that no one can stop; they go on when the run has ended. */
  get underWay(): number {
    return this.#underWay;
  }

  cryptoStart(id: number, operation: string, args: string): boolean {
    if (!this.#pending.add()) return false;
    this.#underWay++;
    void this.#run(id, operation, args);
    this.#sink.countPool();
    return true;
  }

  /** Nothing is delivered any more. */
  abort(): void {
    this.#aborted = true;
  }

  async #run(id: number, operation: string, args: string): Promise<void> {
    let ok = true;
    let json: string;
    try {
      json = JSON.stringify(await perform(operation, args));
    } catch (error) {
      ok = false;
      json = JSON.stringify(describe(error));
    }
    this.#underWay--;
    this.#pending.remove();
    if (!this.#aborted) this.#sink.crypto(id, ok, json);
  }
}

async function perform(operation: string, json: string): Promise<CryptoJson> {
  if (!isOperation(operation)) throw new TypeError(`Cannot run "${operation}": no such operation`);
  if (json.length > CRYPTO_ARGUMENTS_MAX) {
    throw operationError(`its arguments are over ${CRYPTO_ARGUMENTS_MAX} characters`);
  }
  const parsed = JSON.parse(json) as CryptoJson;
  checkCost(parsed);
  const args = await decodeArgument(parsed);
  if (!Array.isArray(args)) throw new TypeError("Cannot run: the arguments must be a list");
  const subtle = webcrypto.subtle as unknown as Record<
    CryptoOperation,
    (...args: readonly CryptoArgument[]) => Promise<unknown>
  >;
  return encodeAnswer(await subtle[operation](...args));
}

const COSTS: readonly (readonly [field: string, max: number, what: string])[] = [
  ["iterations", PBKDF2_ITERATIONS_MAX, "iterations"],
  ["modulusLength", RSA_BITS_MAX, "bits of an RSA key"],
];

/** Refuses algorithms that would hold a thread for long, wherever among the arguments they stand. */
function checkCost(json: CryptoJson): void {
  if (json === null || typeof json !== "object") return;
  for (const [field, max, what] of COSTS) {
    const value: unknown = (json as Readonly<Record<string, unknown>>)[field];
    if (typeof value === "number" && value > max) {
      throw operationError(`at most ${max} ${what} are allowed`);
    }
  }
  for (const value of Object.values(json)) checkCost(value as CryptoJson);
}

const operationError = (why: string): DOMException =>
  new DOMException(`Cannot run the operation: ${why}`, "OperationError");

/** What a guest may know of a failure: its kind, and Node's own sentence. */
function describe(error: unknown): { readonly name: string; readonly message: string } {
  if (!(error instanceof Error)) return { name: "OperationError", message: "" };
  return { name: error.name, message: error.message };
}
