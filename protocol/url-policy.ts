import { literalAddress } from "./address-policy.ts";
import { isHostGranted } from "./net-permission.ts";
import type { NetPattern } from "./net-permission.ts";

/** A URL longer than servers commonly take is not a request but a load. Bytes. */
export const URL_MAX_BYTES = 8192;

/** Which hosts someone may reach. */
export interface HostPolicy {
  /** What was granted (`permissions.net`). Empty for nothing. */
  readonly net: readonly NetPattern[];
  /**
   * `host` or `host:port` that may be private, single-label or on a blocked port: for development
   * and tests. It lifts those rules only: the host must be granted by `net` all the same.
   */
  readonly allowPrivateHosts: readonly string[];
}

/** A URL that may be asked for, as far as its text tells. Its addresses are still to be checked. */
export interface Target {
  readonly url: URL;
  readonly hostname: string;
  readonly port: number;
  /** The host is in `allowPrivateHosts`, so its addresses need no check. */
  readonly exempt: boolean;
}

export type UrlVerdict =
  | { readonly allowed: true; readonly target: Target }
  | { readonly allowed: false; readonly reason: string };

/** Names that no public resolver answers, and that a local one may answer with anything. */
const LOCAL_SUFFIXES = ["localhost", "localdomain", "local", "internal", "home.arpa"];

/**
 * Ports where something else than a web server listens: those that browsers refuse, and those of
 * databases, caches, queues and control planes.
 */
const BLOCKED_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 179, 389, 427,
  445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 623, 636,
  873, 989, 990, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2377, 2379, 2380,
  3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 6566, 6665,
  6666, 6667, 6668, 6669, 6679, 6697, 7000, 8086, 9042, 9092, 9200, 9222, 9229, 9300, 10_080,
  10_250, 11_211, 27_017,
]);

/**
 * Whether `text` names something that may be asked for. Everything after looks at the parsed URL,
 * whose host is in one spelling only, and never at the text again.
 */
export function checkUrl(text: string, policy: HostPolicy, maxBytes = URL_MAX_BYTES): UrlVerdict {
  // A character is at least a byte, so a huge text is refused before anything walks it.
  if (text.length > maxBytes || utf8Bytes(text) > maxBytes) {
    return refuse(`the URL is longer than ${maxBytes} bytes`);
  }
  const url = URL.parse(text);
  if (url === null) return refuse("the URL cannot be parsed");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return refuse("only http: and https: are allowed");
  }
  if (url.username !== "" || url.password !== "") {
    return refuse("a user name or password in the URL is not allowed");
  }
  const { hostname } = url;
  const defaultPort = url.protocol === "https:" ? 443 : 80;
  const port = url.port === "" ? defaultPort : Number(url.port);
  const exempt =
    policy.allowPrivateHosts.includes(hostname) ||
    policy.allowPrivateHosts.includes(`${hostname}:${port}`);
  if (!isHostGranted(policy.net, hostname, port)) {
    return refuse(`"${hostname}:${port}" is not among the granted hosts`);
  }
  if (!exempt) {
    const reason = nameRefusal(hostname) ?? portRefusal(port);
    if (reason !== undefined) return refuse(reason);
  }
  return { allowed: true, target: { url, hostname, port, exempt } };
}

function nameRefusal(hostname: string): string | undefined {
  if (literalAddress(hostname) !== undefined) return undefined;
  if (hostname.endsWith(".")) return `"${hostname}" ends with a dot`;
  if (LOCAL_SUFFIXES.some((suffix) => hostname === suffix || hostname.endsWith(`.${suffix}`))) {
    return `"${hostname}" is a local name`;
  }
  return hostname.includes(".") ? undefined : `"${hostname}" is a single-label name`;
}

function portRefusal(port: number): string | undefined {
  return BLOCKED_PORTS.has(port) ? `port ${port} is blocked` : undefined;
}

const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length;

const refuse = (reason: string): UrlVerdict => ({ allowed: false, reason });
