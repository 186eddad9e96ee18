import { lookup, Resolver as DnsResolver } from "node:dns/promises";

import { checkAddress, literalAddress } from "../protocol/address-policy.ts";
import type { Target } from "../protocol/url-policy.ts";
import { EgressError } from "./egress-error.ts";

/** A name server that does not answer must not hold a request for its whole time. Milliseconds. */
const DNS_TIMEOUT_MS = 5000;

/** A name with more addresses than any service has is an attempt at something else. */
export const ADDRESSES_MAX = 64;

/**
 * Every A and AAAA record of a name. Rejects where there is none.
 *
 * `localNames` also asks the hosts file and what else the system knows.
 */
export type Resolve = (
  hostname: string,
  options: { readonly localNames: boolean; readonly signal: AbortSignal },
) => Promise<readonly string[]>;

/**
 * Asks the system's name servers, and for local names the system's own resolver.
 *
 * Guests' names never go to the latter: it reads search domains and the hosts file, and takes a
 * thread of a pool of four for as long as a name server likes.
 */
export const resolveBySystem: Resolve = async (hostname, { localNames, signal }) => {
  if (localNames) {
    const found = await lookup(hostname, { all: true });
    return found.map(({ address }) => address);
  }
  const resolver = new DnsResolver({ timeout: 2000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(hostname),
      resolver.resolve6(hostname),
    ]);
    // Only addresses that came are ever connected to, so one family's failure hides nothing.
    if (v4.status === "rejected" && v6.status === "rejected") throw v4.reason;
    return [
      ...(v4.status === "fulfilled" ? v4.value : []),
      ...(v6.status === "fulfilled" ? v6.value : []),
    ];
  } finally {
    signal.removeEventListener("abort", cancel);
  }
};

/**
 * The addresses that a connection to `target` may be made to: all of the name's, if every one of
 * them may be reached. One forbidden address refuses the name, for a mixed answer has no good use.
 *
 * @throws {EgressError} `denied`, or `network` and `timeout` where the name does not resolve.
 */
export async function resolveTarget(
  target: Target,
  signal: AbortSignal,
  resolve: Resolve = resolveBySystem,
  timeoutMs = DNS_TIMEOUT_MS,
): Promise<readonly string[]> {
  const { hostname, exempt } = target;
  const literal = literalAddress(hostname);
  const addresses =
    literal === undefined
      ? await resolveName(hostname, exempt, signal, resolve, timeoutMs)
      : [literal];
  if (exempt) return addresses;
  for (const address of addresses) {
    const verdict = checkAddress(address);
    if (!verdict.allowed) {
      const whose = literal === undefined ? `"${hostname}" resolves to` : "the address is in";
      throw new EgressError("denied", `Cannot fetch: ${whose} ${verdict.range}`);
    }
  }
  return addresses;
}

async function resolveName(
  hostname: string,
  localNames: boolean,
  signal: AbortSignal,
  resolve: Resolve,
  timeoutMs: number,
): Promise<readonly string[]> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    const addresses = await settledOrAborted(
      resolve(hostname, { localNames, signal: either }),
      either,
    );
    if (addresses.length === 0) {
      throw new EgressError("network", `Cannot fetch: "${hostname}" has no address`);
    }
    if (addresses.length > ADDRESSES_MAX) {
      throw new EgressError(
        "denied",
        `Cannot fetch: "${hostname}" has over ${ADDRESSES_MAX} addresses`,
      );
    }
    return addresses;
  } catch (error) {
    if (error instanceof EgressError) throw error;
    if (signal.aborted) throw signal.reason;
    if (timeout.signal.aborted) {
      throw new EgressError(
        "timeout",
        `Cannot fetch: "${hostname}" did not resolve in ${timeoutMs} ms`,
      );
    }
    throw new EgressError("network", `Cannot fetch: "${hostname}" does not resolve`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The promise, or a rejection as soon as the signal aborts; a resolver may not heed its signal. */
function settledOrAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((fulfil, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    promise.then(fulfil, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
