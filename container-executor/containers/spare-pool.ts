import type { SparePolicy } from "../config.ts";
import type { EngineResult } from "../engine/engine-result.ts";
import { log } from "../log.ts";
import type { InitContainer } from "./container-factory.ts";
import { afterAsk, afterCalm, initialDemand } from "./spare-demand.ts";
import type { SpareDemand } from "./spare-demand.ts";

/** More starts at once only wait for each other in the engine. */
const REFILLS_AT_ONCE = 2;
/** Making the next one takes the cores from what the taken one is about to do. Milliseconds. */
const REFILL_AFTER_MS = 100;
/** How long to wait after a spare that could not be made. Milliseconds. */
const RETRY_MS = 2000;
const CALM_CHECK_MS = 10_000;

export interface SparePoolParts {
  readonly policy: SparePolicy;
  /** Starts a spare of the image of that name. */
  readonly make: (image: string) => Promise<EngineResult<InitContainer>>;
  readonly discard: (spare: InitContainer) => Promise<void>;
  readonly now: () => number;
}

interface Shelf {
  readonly spares: InitContainer[];
  demand: SpareDemand;
  making: number;
  /** No spare is made before. */
  notBeforeMs: number;
}

/**
 * Containers already started, each waiting for its one job. Owns them until they are taken; refills
 * behind, and keeps more of what is asked for more often. `close` removes those that are left.
 */
export class SparePool {
  readonly #parts: SparePoolParts;
  readonly #shelves = new Map<string, Shelf>();
  readonly #timer: NodeJS.Timeout;
  readonly #makings = new Set<Promise<void>>();
  #paused = false;
  #closed = false;

  constructor(parts: SparePoolParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => {
      this.#calm();
    }, CALM_CHECK_MS);
    this.#timer.unref();
  }

  /** Keeps spares of the image from now on; those of another image that had its name are discarded. */
  stock(image: string): void {
    const { discard } = this.#parts;
    for (const spare of this.#shelves.get(image)?.spares.splice(0) ?? []) void discard(spare);
    if (this.#shelves.has(image)) return this.#refill();
    const demand = initialDemand(this.#parts.policy);
    this.#shelves.set(image, { spares: [], demand, making: 0, notBeforeMs: 0 });
    this.#refill();
  }

  /** A spare of the image, now the caller's; undefined where there is none. */
  take(image: string): InitContainer | undefined {
    const shelf = this.#shelves.get(image);
    if (shelf === undefined) return undefined;
    const spare = shelf.spares.shift();
    const { policy, now } = this.#parts;
    shelf.demand = afterAsk(shelf.demand, shelf.spares.length, policy, now());
    setTimeout(() => {
      this.#refill();
    }, REFILL_AFTER_MS).unref();
    return spare;
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#shelves].map(([image, { spares }]) => [image, spares.length]),
    );
  }

  /** Makes no more; those that are there may still be taken. */
  pause(): void {
    this.#paused = true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    // One that is being made is discarded as soon as it is there.
    await Promise.all(this.#makings);
    const left = [...this.#shelves.values()].flatMap(({ spares }) => spares.splice(0));
    await Promise.all(left.map(async (spare) => await this.#parts.discard(spare)));
  }

  #refill(): void {
    if (this.#paused || this.#closed) return;
    const nowMs = this.#parts.now();
    while (this.#makings.size < REFILLS_AT_ONCE) {
      const [neediest] = [...this.#shelves]
        .map(([image, shelf]) => ({ image, shelf, lacks: lacking(shelf) }))
        .filter(({ shelf, lacks }) => lacks > 0 && nowMs >= shelf.notBeforeMs)
        .toSorted((a, b) => b.lacks - a.lacks);
      if (neediest === undefined) return;
      const { image, shelf } = neediest;
      shelf.making++;
      const making = this.#makeOne(image, shelf).finally(() => {
        shelf.making--;
        this.#makings.delete(making);
        this.#refill();
      });
      this.#makings.add(making);
    }
  }

  async #makeOne(image: string, shelf: Shelf): Promise<void> {
    const { make, discard, now } = this.#parts;
    const made = await make(image);
    if (!made.ok) {
      log("spare.failed", { image, ...made.failure });
      shelf.notBeforeMs = now() + RETRY_MS;
      setTimeout(() => {
        this.#refill();
      }, RETRY_MS).unref();
      return;
    }
    const spare = made.value;
    if (this.#closed) return await discard(spare);
    shelf.spares.push(spare);
    void spare.channel.closed.then(async () => {
      const index = shelf.spares.indexOf(spare);
      if (index === -1) return;
      shelf.spares.splice(index, 1);
      log("spare.lost", { image });
      await discard(spare);
      this.#refill();
    });
  }

  #calm(): void {
    const { policy, now, discard } = this.#parts;
    for (const shelf of this.#shelves.values()) {
      shelf.demand = afterCalm(shelf.demand, policy, now());
      const over = shelf.spares.splice(shelf.demand.wanted);
      for (const spare of over) void discard(spare);
    }
    this.#refill();
  }
}

const lacking = ({ spares, demand, making }: Shelf): number =>
  demand.wanted - spares.length - making;
