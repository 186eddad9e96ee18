/** What became of a call of a Durable Object. */
export type Called<T> =
  | { readonly kind: "answered"; readonly value: T }
  | { readonly kind: "unreachable" }
  | { readonly kind: "overloaded" };

/** Longest wait for an object's answer. */
const OBJECT_TIMEOUT_MS = 5_000;

/**
 * Asks a Durable Object; what is asked must be safe to repeat, and is, once, where that may help.
 *
 * `what` names the object in the log.
 */
export async function callObject<Stub, T>(
  what: string,
  stubOf: () => Stub,
  ask: (stub: Stub) => Promise<unknown>,
): Promise<Called<T>> {
  for (let attempt = 1; ; attempt++) {
    try {
      // A stub that has thrown goes on throwing, so each attempt has its own.
      const value = await withTimeout(ask(stubOf()), what);
      return { kind: "answered", value: value as T };
    } catch (error) {
      const { overloaded, retryable } = error as { overloaded?: true; retryable?: true };
      if (overloaded === true) return { kind: "overloaded" };
      if (retryable === true && attempt === 1) continue;
      console.error({ event: "object_unreachable", object: what, error });
      return { kind: "unreachable" };
    }
  }
}

async function withTimeout<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`Cannot wait any longer for the ${what}`);
    timer = setTimeout(() => reject(error), OBJECT_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
