import type { LookupFunction, Socket } from "node:net";

import { buildConnector } from "undici";

import { canonicalAddress } from "../protocol/address-policy.ts";
import { EgressError } from "./egress-error.ts";

/** How long one of several addresses is tried before the next. Far servers take half a second. */
const ATTEMPT_TIMEOUT_MS = 1000;

/**
 * Connects to nothing but `addresses`, in their order, whatever the host's name resolves to by now;
 * TLS still names and verifies the host. The address that answered is compared once more, so that
 * no path through the network library can go around the pin.
 *
 * `signal` ends the connections, also those still being made, whoever holds them.
 */
export function pinnedConnector(
  addresses: readonly string[],
  signal: AbortSignal,
): buildConnector.connector {
  const pinned = new Set(addresses.map(canonicalAddress));
  const lookup: LookupFunction = (_hostname, options, callback) => {
    const all = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    const wanted = all.filter(
      ({ family }) => (options.family ?? 0) === 0 || family === Number(options.family),
    );
    if (options.all === true) return callback(null, wanted);
    const [first] = wanted;
    if (first === undefined) return callback(new Error("no address of this family"), "", 0);
    callback(null, first.address, first.family);
  };
  const connect = buildConnector({
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    // Sessions and connections are never shared: they would be a channel between tenants.
    maxCachedSessions: 0,
    allowH2: false,
    keepAlive: false,
    // Said outright, so that no environment variable turns it off.
    rejectUnauthorized: true,
    // The whole exchange has a deadline of its own.
    timeout: 0,
  } as buildConnector.BuildOptions);
  return (options, callback) => {
    // Its type says nothing of it, but the connector returns the socket at once.
    const connecting = connect(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      // A peer that has gone already leaves no address; its end is what the client then sees.
      const remote = socket.remoteAddress;
      if (remote === undefined || pinned.has(canonicalAddress(remote))) {
        return callback(null, socket);
      }
      socket.destroy();
      callback(new EgressError("denied", "Cannot fetch: connected to an unchecked address"), null);
    }) as unknown as Socket;
    // An end without an error would be the end of a body that has no length, and undici throws
    // where nobody can catch it when the body's request was aborted before.
    const end = () =>
      connecting.destroy(new EgressError("network", "Cannot fetch: it was cancelled"));
    signal.addEventListener("abort", end, { once: true });
    connecting.once("close", () => signal.removeEventListener("abort", end));
    if (signal.aborted) end();
  };
}
