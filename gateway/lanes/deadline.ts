/**
 * Does something that must be over within so long; its signal aborts then. Unlike
 * `AbortSignal.timeout`, nothing stays behind when it is over sooner: a pending timer would keep a
 * Durable Object in memory.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
