import { decodeBase64 } from "../base64.ts";
import type { CryptoJson, GuestKey } from "../host-ops.ts";
import { registerResultForm } from "../result/forms.ts";
import { registerCloneForm } from "./clone-forms.ts";
import { showAs } from "./show-as.ts";

let access: { make(key: GuestKey): CryptoKey; of(key: CryptoKey): GuestKey };
let isMaking = false;

/** A key for `crypto.subtle`. Its material is here, out of the program's sight, and nowhere else. */
export class CryptoKey {
  #key: GuestKey | null = null;
  #algorithm: object = {};
  #usages: readonly string[] = [];

  constructor() {
    if (!isMaking) throw new TypeError("Illegal constructor");
  }

  static {
    access = {
      make(guestKey) {
        isMaking = true;
        try {
          const key = new CryptoKey();
          key.#key = guestKey;
          key.#algorithm = readAlgorithm(guestKey.algorithm) as object;
          key.#usages = [...guestKey.usages];
          return key;
        } finally {
          isMaking = false;
        }
      },
      of: (key) => key.#key as GuestKey,
    };
    registerCloneForm((value) => (#key in value ? { copy: value } : null));
    registerResultForm((value) => (#key in value ? { value: fieldsOf(value) } : null));
  }

  get type(): string {
    return access.of(this).type;
  }
  get extractable(): boolean {
    return access.of(this).extractable;
  }
  get algorithm(): object {
    return this.#algorithm;
  }
  get usages(): readonly string[] {
    return this.#usages;
  }
  get [Symbol.toStringTag](): string {
    return "CryptoKey";
  }
}

function fieldsOf({ type, extractable, algorithm, usages }: CryptoKey): object {
  return { type, extractable, algorithm, usages };
}

function readAlgorithm(json: CryptoJson): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  if ("$bytes" in json) return decodeBase64(json["$bytes"] as string);
  return Object.fromEntries(
    Object.entries(json).map(([name, part]) => [name, readAlgorithm(part)]),
  );
}

/** A key as the program holds it, from what the host said of it. */
export const makeKey = (key: GuestKey): CryptoKey => access.make(key);

/** What the host needs to use a key. */
export const guestKey = (key: CryptoKey): GuestKey => access.of(key);

showAs(CryptoKey, "CryptoKey", fieldsOf);
