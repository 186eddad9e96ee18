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
  readonly #linked: Linked;
  readonly #probe: ivm.Module | null;
  #evaluated = false;

  constructor(realm: Realm, linked: Linked) {
    this.#linked = linked;
    // A program without any `await` is through when `evaluate` returns.
    if (!linked.mayAwait) {
      this.#probe = null;
      return;
    }
    this.#probe = realm.guest.isolate.compileModuleSync(PROBE_SOURCE);
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
    return { namespace: entry.module.namespace as ivm.Reference<object>, modules };
  }

  #isThrough(): boolean {
    if (this.#probe === null) return true;
    try {
      return this.#probe.namespace.getSync("loaded") === true;
    } catch {
      // Not initialised yet.
      return false;
    }
  }
}
