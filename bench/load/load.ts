import { setTimeout as sleep } from "node:timers/promises";

/**
 * A way to ask for work. `open`: requests arrive at their own times, however long answers take.
 * `closed`: so many callers, each with its next request as soon as it has its answer.
 */
export type Load =
  | {
      readonly kind: "open";
      readonly perSecond: number;
      readonly seconds: number;
      /** Loads of the same seed have the same arrivals. */
      readonly seed: number;
    }
  | { readonly kind: "closed"; readonly callers: number; readonly seconds: number };

/** What a contender may say of one answer besides that it came; milliseconds. */
type Spans = Readonly<Record<string, number>>;

/** What is put under load. */
export interface Contender<Answer> {
  /** One request, to its whole answer: what is timed. `turn` counts up from 0 through a process's life. */
  call(turn: number): Promise<Answer>;
  /**
   * Reads the answer, untimed.
   *
   * @throws {Error} Where it is not the right one.
   */
  check(answer: Answer): Spans;
}

export interface Samples {
  /** From the first request to the last answer, milliseconds. */
  readonly elapsedMs: number;
  /** Of each request, from its sending to its whole answer, milliseconds; in the order of the answers. */
  readonly latencyMs: Float64Array;
  /** Per span, in the same order; `restMs` is what the other spans of a request leave of it. */
  readonly spans: Readonly<Record<string, Float64Array>>;
  /** The 99th percentile of how late arrivals of an open loop were sent; 0 for a closed one. */
  readonly lateMs: number;
}

/**
 * When requests arrive, in milliseconds from the start: at random, as independent callers come, and
 * the same for the same seed.
 */
export function arrivals(perSecond: number, seconds: number, seed: number): readonly number[] {
  const random = repeatable(seed);
  const times: number[] = [];
  for (let at = 0; ;) {
    at += (-Math.log(1 - random()) / perSecond) * 1000;
    if (at >= seconds * 1000) return times;
    times.push(at);
  }
}

/** Numbers from 0 to 1 (exclusive) by xorshift: arrivals must be repeatable, nothing more. */
function repeatable(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Puts a load on a contender, and throws what it throws: a number with failures in it is none. */
export async function runLoad<Answer>(
  load: Load,
  contender: Contender<Answer>,
  firstTurn: number,
): Promise<Samples> {
  const recorder = new Recorder(contender, firstTurn);
  if (load.kind === "closed") {
    const until = recorder.beganAt + load.seconds * 1000;
    const caller = async () => {
      do await recorder.one();
      while (performance.now() < until);
    };
    await Promise.all(Array.from({ length: load.callers }, caller));
    return recorder.samples([]);
  }
  const late: number[] = [];
  const underWay: Promise<void>[] = [];
  for (const at of arrivals(load.perSecond, load.seconds, load.seed)) {
    const due = recorder.beganAt + at;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    late.push(performance.now() - due);
    const request = recorder.one();
    underWay.push(request);
    // Its failure is thrown below; until then it must not count as unhandled.
    request.catch(() => undefined);
  }
  await Promise.all(underWay);
  return recorder.samples(late);
}

class Recorder<Answer> {
  readonly beganAt = performance.now();
  readonly #contender: Contender<Answer>;
  readonly #latencyMs: number[] = [];
  readonly #spans = new Map<string, number[]>();
  #turn: number;

  constructor(contender: Contender<Answer>, firstTurn: number) {
    this.#contender = contender;
    this.#turn = firstTurn;
  }

  async one(): Promise<void> {
    const began = performance.now();
    const answer = await this.#contender.call(this.#turn++);
    const latencyMs = performance.now() - began;
    this.#latencyMs.push(latencyMs);
    const spans = Object.entries(this.#contender.check(answer));
    if (spans.length === 0) return;
    const told = spans.reduce((sum, [, milliseconds]) => sum + milliseconds, 0);
    for (const [name, milliseconds] of [...spans, ["restMs", latencyMs - told] as const]) {
      const list = this.#spans.get(name);
      if (list === undefined) this.#spans.set(name, [milliseconds]);
      else list.push(milliseconds);
    }
  }

  samples(late: readonly number[]): Samples {
    const sortedLate = late.toSorted((a, b) => a - b);
    return {
      elapsedMs: performance.now() - this.beganAt,
      latencyMs: Float64Array.from(this.#latencyMs),
      spans: Object.fromEntries(
        [...this.#spans].map(([name, list]) => [name, Float64Array.from(list)]),
      ),
      lateMs: sortedLate[Math.ceil(sortedLate.length * 0.99) - 1] ?? 0,
    };
  }
}
