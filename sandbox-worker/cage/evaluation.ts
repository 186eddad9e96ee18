import type ivm from "isolated-vm";

import type { Linked } from "./link.ts";
import type { Program, Realm } from "./realm.ts";

/** Its one export can be read once everything that it imports has been evaluated. */
const PROBE_SOURCE = 'import "entry"; export const loaded = true;';

/**
 * The evaluation of a linked program. isolated-vm gives no promise for it: a module that throws
 * comes out of `start`, or of whatever call goes on with its top-level await; that it is through
 * is seen by a probe, a module of ours that imports the entry.
 */
export class Evaluation {
  readonly #realm: Realm;
  readonly #linked: Linked;
  readonly #probe: ivm.Module | null;
  #evaluated = false;

  constructor(realm: Realm, linked: Linked) {
    this.#realm = realm;
    this.#linked = linked;
    // A program without any `await` is through when `evaluate` returns.
    if (!linked.mayAwait) {
      this.#probe = null;
      return;
    }
    this.#probe = realm.guest.isolate.compileModuleSync(PROBE_SOURCE);
    realm.own(this.#probe);
    this.#probe.instantiateSync(realm.context, () => linked.entry.module);
  }

  /** Runs the tenant's first statement, and on until the first `await` or the end. */
  start(timeout: number): void {
    this.#linked.entry.module.evaluateSync({ timeout });
    this.#probe?.evaluateSync({ timeout });
    this.#evaluated = true;
  }

  /** The program, once it is through; null before. Runs no code of the tenant's. */
  program(): Program | null {
    if (!this.#evaluated || !this.#isThrough()) return null;
    const { entry, modules } = this.#linked;
    const namespace = entry.module.namespace as ivm.Reference<object>;
    this.#realm.own(namespace);
    return { namespace, modules };
  }

  #isThrough(): boolean {
    if (this.#probe === null) return true;
    try {
      const namespace = this.#probe.namespace as ivm.Reference<{ readonly loaded: boolean }>;
      this.#realm.own(namespace);
      return namespace.getSync("loaded");
    } catch {
      // Not initialised yet.
      return false;
    }
  }
}
