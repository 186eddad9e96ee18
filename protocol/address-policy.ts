import ipaddr from "ipaddr.js";

/**
 * Which addresses an outgoing connection may be made to: global unicast, and nothing that is, or
 * carries, a private, local or metadata address. Pure; names are `url-policy.ts`.
 */
export type AddressVerdict =
  | { readonly allowed: true }
  /** `range` names what the address belongs to, in words fit for whoever asked. */
  | { readonly allowed: false; readonly range: string };

type Range = readonly [cidr: string, name: string];

/** The narrower of two nested ranges comes first, so that a refusal names it. */
const V4_BLOCKED: readonly Range[] = [
  ["169.254.169.254/32", "cloud metadata"],
  ["168.63.129.16/32", "cloud metadata"],
  ["100.100.100.200/32", "cloud metadata"],
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relay"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["255.255.255.255/32", "broadcast"],
  ["240.0.0.0/4", "reserved"],
];

const V6_BLOCKED: readonly Range[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["::ffff:0:0/96", "IPv4-mapped"],
  ["::ffff:0:0:0/96", "IPv4-translated"],
  ["::/96", "IPv4-compatible"],
  ["64:ff9b::/96", "NAT64"],
  ["64:ff9b:1::/48", "local NAT64"],
  ["100::/64", "discard-only"],
  ["fd00:ec2::254/128", "cloud metadata"],
  ["fc00::/7", "unique local"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
  ["2001::/32", "Teredo"],
  ["2001::/23", "protocol assignments"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
];

const V6_ALLOWED = ipaddr.IPv6.parseCIDR("2000::/3");

const v4Blocked = V4_BLOCKED.map(([cidr, name]) => ({
  subnet: ipaddr.IPv4.parseCIDR(cidr),
  label: `${cidr} (${name})`,
}));
const v6Blocked = V6_BLOCKED.map(([cidr, name]) => ({
  subnet: ipaddr.IPv6.parseCIDR(cidr),
  label: `${cidr} (${name})`,
}));

/**
 * Whether `address` may be connected to. Takes plain spellings only, as a resolver or
 * `socket.remoteAddress` gives them; what is anything else, or has a zone, is refused.
 */
export function checkAddress(address: string): AddressVerdict {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) {
    return checkV4(ipaddr.IPv4.parse(address));
  }
  if (!address.includes(":") || address.includes("%") || !ipaddr.IPv6.isValid(address)) {
    return { allowed: false, range: "not a plain IP address" };
  }
  return checkV6(ipaddr.IPv6.parse(address));
}

function checkV4(address: ipaddr.IPv4): AddressVerdict {
  const hit = v4Blocked.find(({ subnet }) => address.match(subnet));
  return hit === undefined ? { allowed: true } : { allowed: false, range: hit.label };
}

function checkV6(address: ipaddr.IPv6): AddressVerdict {
  const hit = v6Blocked.find(({ subnet }) => address.match(subnet));
  if (hit !== undefined) return { allowed: false, range: hit.label };
  if (!address.match(V6_ALLOWED)) {
    return { allowed: false, range: "outside 2000::/3 (not global unicast)" };
  }
  // An ISATAP interface id carries an IPv4 address that a tunnel on the way would deliver to.
  const [, , , , tag, isatap] = address.parts;
  if ((tag === 0 || tag === 0x0200) && isatap === 0x5efe) {
    return { allowed: false, range: "ISATAP" };
  }
  return { allowed: true };
}

/** The bare address of a literal host as `URL.hostname` spells it, or `undefined` for a name. */
export function literalAddress(hostname: string): string | undefined {
  if (hostname.startsWith("[") && hostname.endsWith("]")) return hostname.slice(1, -1);
  return ipaddr.IPv4.isValidFourPartDecimal(hostname) ? hostname : undefined;
}

/** One spelling for each address, so that a list and `socket.remoteAddress` can be compared. */
export function canonicalAddress(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}
