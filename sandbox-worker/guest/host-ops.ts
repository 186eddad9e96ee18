/**
 * The whole surface between the guest runtime (this folder, which runs inside an isolate, in the
 * tenant's own realm) and the cage that hosts it. Nothing but strings, numbers, booleans and
 * buffers made by the host crosses it, and the runtime's own second script.
 *
 * The runtime is two scripts, each of which is a function. The cage calls the core with its
 * callbacks, and gets the entry back, before any of the tenant's code runs: neither is ever to be
 * found on the global object. The library is what most runs never touch; it comes by the op
 * `library` when it is first asked for.
 */

/** What the guest may ask of its cage. Each returns at once; slow work answers through `deliver`. */
export interface HostOps {
  /** One console line, already formatted. The cage adds time and stream, and cuts at the cap. */
  log(level: string, text: string): void;
  /** Calls `deliver("timer", id)` after `ms`. False where too much is pending. */
  timerStart(id: number, ms: number): boolean;
  timerCancel(id: number): void;
  /** Milliseconds since the run began, with a fraction. */
  clock(): number;
  /** `length` random bytes (at most 65,536) as a Latin-1 string. */
  random(length: number): string;
  /** The URL's parts as a JSON list in the order of `URL_PARTS`, or null where it cannot be parsed. `base` may be "". */
  urlParse(href: string, base: string): string | null;
  /** Sets one part of a URL as its setter would; the new parts as in `urlParse`. */
  urlSet(href: string, part: string, value: string): string | null;
  /** Decodes Latin-1 bytes in a legacy encoding, as `TextDecoder` does; null where not decodable. */
  textDecode(label: string, bytes: string, fatal: boolean, ignoreBom: boolean): string | null;
  /** The encoding's canonical name, or null where the label is unknown. */
  textLabel(label: string): string | null;
  /** Starts a fetch; `head` is a `GuestFetch` as JSON, `body` Latin-1 bytes or null. False where refused. */
  fetchStart(id: number, head: string, body: string | null): boolean;
  fetchCancel(id: number): void;
  /**
   * Starts `crypto.subtle[operation]`; `args` is its list of arguments as JSON (see `CryptoJson`).
   * Answers by `deliver("crypto", …)` with what it gave as `CryptoJson`, or where it failed with
   * `{"name", "message"}`, a DOMException's. False where too much is pending.
   */
  cryptoStart(id: number, operation: string, args: string): boolean;
  /** The run's result, once: `encoding` and JSON text, made inside the run's time. */
  settle(encoding: "json" | "tagged", json: string): void;
  /** The run's failure, once. */
  fail(name: string, message: string, stack: string): void;
  /** The result is over `resultBytes`: the run ends as `output_limit`. Once, in place of the two above. */
  overflow(): void;
  /**
   * The library's script in this realm, as the function that it is: at the first call. Null from
   * then on, which only says that it is used; null at once where it cannot be had.
   */
  library(): ((core: object) => object) | null;
}

/** The order in which the core is given the ops. */
export const OP_NAMES = [
  "log",
  "timerStart",
  "timerCancel",
  "clock",
  "random",
  "urlParse",
  "urlSet",
  "textDecode",
  "textLabel",
  "fetchStart",
  "fetchCancel",
  "cryptoStart",
  "settle",
  "fail",
  "overflow",
  "library",
] as const satisfies readonly (keyof HostOps)[];

/** The order of the parts that `urlParse` and `urlSet` answer. All are text, as `URL` gives them. */
export const URL_PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;

/** The operations that `cryptoStart` knows: methods of `SubtleCrypto`, with their own arguments. */
export const CRYPTO_OPERATIONS = [
  "digest",
  "encrypt",
  "decrypt",
  "sign",
  "verify",
  "generateKey",
  "importKey",
  "exportKey",
  "deriveBits",
  "deriveKey",
  "wrapKey",
  "unwrapKey",
] as const;

/**
 * Arguments and answers of crypto operations: JSON, in which bytes are `{"$bytes": base64}` and
 * keys `{"$key": GuestKey}`, at any depth.
 */
export type CryptoJson =
  | null
  | boolean
  | number
  | string
  | { readonly $bytes: string }
  | { readonly $key: GuestKey }
  | readonly CryptoJson[]
  | { readonly [name: string]: CryptoJson };

/** A key between two operations. The host keeps none; it imports the material anew each time. */
export interface GuestKey {
  readonly type: "secret" | "private" | "public";
  /**
   * As the program asked; the key is imported so. New keys the runtime asks for as extractable,
   * whatever the program said, since only such a key can be answered.
   */
  readonly extractable: boolean;
  /** As `CryptoKey.algorithm` says, `publicExponent` as bytes. */
  readonly algorithm: { readonly name: string; readonly [name: string]: CryptoJson };
  readonly usages: readonly string[];
  /** base64: `raw` of a secret key, `pkcs8` of a private one, `spki` of a public one. */
  readonly material: string;
}

/** What a `GuestFetch` may hold at most; a host takes more for a broken peer. Characters, but `headers`. */
export const GUEST_FETCH_MAX = { method: 64, url: 65_536, headers: 1_000 } as const;

export interface GuestFetch {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly redirect: "follow" | "manual" | "error";
}

/** What the cage sets up a run with, as JSON. */
export interface GuestBoot {
  readonly env: Readonly<Record<string, string>>;
  readonly net: readonly string[];
  readonly runId: string;
  readonly versions: {
    readonly bulkhead: string;
    readonly v8: string;
    readonly typescript: string;
  };
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | null;
  } | null;
  /** Most bytes of encoded result; above, the run ends as `output_limit`. */
  readonly resultBytes: number;
}

/** What crosses as it is. */
export type Primitive = string | number | boolean | null | undefined;

/** How the cage calls into the guest runtime. Every call is under the run's time limit. */
export interface GuestEntry {
  /** Before the tenant's code is evaluated: env, permissions, the run's id. */
  (kind: "boot", bootJson: string): void;
  /** The tenant's entry module was evaluated: calls its default export and settles the run. */
  (kind: "main", namespace: object, inputJson: string | null): void;
  (kind: "timer", id: number): void;
  (kind: "fetchHead", id: number, headJson: string): void;
  (kind: "fetchChunk", id: number, chunk: ArrayBuffer): void;
  (kind: "fetchEnd", id: number): void;
  (kind: "fetchFailure", id: number, failureKind: string, message: string): void;
  (kind: "crypto", id: number, ok: boolean, json: string): void;
  /**
   * A promise was rejected and nobody took it: listeners of `unhandledrejection` hear of it, and
   * where none prevents it, the run fails. The host has no more of the reason than an error's text
   * (`{"name", "message", "stack"}`), or a primitive.
   */
  (kind: "rejected", errorJson: string | null, primitive: Primitive): void;
  /** Makes the library ahead, before any of the tenant's code runs. */
  (kind: "library"): void;
  /** A module could not be evaluated: reduces what it threw, and fails the run. */
  (kind: "threw", thrown: unknown): void;
}
