import type { Engine } from "../engine/engine.ts";
import { log } from "../log.ts";

const RETRY_MS = 5000;

/** Removes containers, and tries again until each is gone, or until `close`; the next life finds the rest by label. */
export class Remover {
  readonly #engine: Engine;
  readonly #left = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Resolves after the first try. */
  async remove(id: string): Promise<void> {
    this.#left.add(id);
    const attempt = this.#attempt(id).finally(() => {
      this.#underWay.delete(attempt);
    });
    this.#underWay.add(attempt);
    await attempt;
  }

  /** Waits for what is being removed, and tries nothing again. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#underWay);
  }

  async #attempt(id: string): Promise<void> {
    const removed = await this.#engine.remove(id);
    if (removed.ok) {
      this.#left.delete(id);
      return;
    }
    log("container.not-removed", { container: id, ...removed.failure });
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const one of this.#left) void this.#attempt(one);
    }, RETRY_MS);
  }
}
