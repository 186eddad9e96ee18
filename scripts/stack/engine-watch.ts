import type { OwnEngine } from "../setup/own-engine.ts";

const POLL_MS = 500;

/**
 * Keeps the project's own Docker engine alive for as long as a stack runs. The engine is shared by
 * all commands that run at once, so it is nobody's child to wait for, and its pid is looked at.
 */
export class EngineWatch {
  readonly #engine: OwnEngine | null;
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | null = null;
  #pid: number | null = null;

  /** @param engine Null where the machine has an engine of its own, or none. */
  constructor(engine: OwnEngine | null, onChange: () => void) {
    this.#engine = engine;
    this.#onChange = onChange;
    this.#pid = engine?.daemon?.pid ?? null;
  }

  /** The daemon's pid, or null where there is none of the project's own. */
  get pid(): number | null {
    return this.#pid;
  }

  start(): void {
    if (this.#engine !== null) this.#timer = setTimeout(() => void this.#look(), POLL_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    const { daemon } = this.#engine ?? {};
    if (daemon === null) await this.#engine?.revive().catch(ignoreUntilNextLook);
    const pid = this.#engine?.daemon?.pid ?? null;
    if (this.#timer === null) return;
    if (pid !== this.#pid) {
      this.#pid = pid;
      this.#onChange();
    }
    this.start();
  }
}

/** The engine's log says why it did not start, and the next look tries again. */
function ignoreUntilNextLook(): void {}
