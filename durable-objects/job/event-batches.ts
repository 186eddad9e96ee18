/** Events that come within this time share a row; milliseconds. */
const BATCH_MS = 20;

/** A row of events is written once it is so long, whatever the time. Characters. */
const BATCH_CHARS = 64 * 1024;

/**
 * Gathers events into few commits.
 *
 * The first after a pause is written at once; those that follow wait for at most `BATCH_MS`.
 */
export class EventBatches<Item> {
  readonly #commit: (items: readonly Item[]) => void;
  readonly #synced: () => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #items: Item[] = [];
  #chars = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #flushedAt = 0;

  constructor(parts: {
    readonly commit: (items: readonly Item[]) => void;
    /** Resolves once what was committed is on disk. */
    readonly synced: () => Promise<void>;
    /** A commit failed with nobody waiting for it. */
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#commit = parts.commit;
    this.#synced = parts.synced;
    this.#onFailure = parts.onFailure;
  }

  /** Takes an item of about so many characters. Wait for the promise before the next: it bounds memory. */
  async add(item: Item, chars: number): Promise<void> {
    this.#items.push(item);
    this.#chars += chars;
    if (this.#chars >= BATCH_CHARS) {
      this.flush();
      await this.#synced();
      return;
    }
    if (this.#timer !== null) return;
    const waitMs = Math.max(0, this.#flushedAt + BATCH_MS - Date.now());
    this.#timer = setTimeout(() => {
      try {
        this.flush();
      } catch (error) {
        this.#onFailure(error);
      }
    }, waitMs);
  }

  /** Commits what was gathered. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flushedAt = Date.now();
    const items = this.#items;
    this.#items = [];
    this.#chars = 0;
    if (items.length > 0) this.#commit(items);
  }
}
