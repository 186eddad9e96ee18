/** Before a message that did not arrive is sent again; doubles with each failure. */
export const RESEND_MS = 1_000;
const RESEND_MAX_MS = 30_000;

/** Longest wait for the receiver's answer; it commits, and does nothing long. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Messages on their way, by a key each: none is sent twice at once, nor again right after a failure. */
export class Deliveries {
  readonly #underWay = new Set<string>();
  readonly #failed = new Map<string, { readonly failures: number; readonly nextAt: number }>();

  /** Whether the message may be sent now. */
  isReady(key: string, now: number): boolean {
    return !this.#underWay.has(key) && (this.#failed.get(key)?.nextAt ?? 0) <= now;
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0;
  }

  isUnderWay(key: string): boolean {
    return this.#underWay.has(key);
  }

  /** When a message that is owed should be looked at again. */
  dueAt(key: string, now: number): number {
    return Math.max(now + RESEND_MS, this.#failed.get(key)?.nextAt ?? 0);
  }

  /** Sends; undefined where no answer came, and the message is to be sent again. */
  async send<T>(key: string, call: () => Promise<T>): Promise<T | undefined> {
    this.#underWay.add(key);
    try {
      const answer = await withTimeout(call());
      this.#failed.delete(key);
      return answer;
    } catch (error) {
      const failures = (this.#failed.get(key)?.failures ?? 0) + 1;
      const waitMs = Math.min(RESEND_MS * 2 ** (failures - 1), RESEND_MAX_MS);
      this.#failed.set(key, { failures, nextAt: Date.now() + waitMs });
      console.warn({ event: "message_undelivered", key, failures, error: String(error) });
      return undefined;
    } finally {
      this.#underWay.delete(key);
    }
  }
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Cannot wait longer than ${ANSWER_TIMEOUT_MS} ms for an answer`)),
    ANSWER_TIMEOUT_MS,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
