import { expect, test } from "vitest";

import { canonicalAddress, checkAddress, literalAddress } from "../../protocol/address-policy.ts";

test.each([
  "1.1.1.1",
  "8.8.8.8",
  "93.184.216.34",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2000::1",
  "2606:4700:4700::1111",
  "2a00:1450:4001::8a",
  "2001:200::1",
  "3ffe:ffff::1",
])("the public address %s may be connected to", (address) => {
  expect(checkAddress(address)).toEqual({ allowed: true });
});

test.each([
  ["0.0.0.0", "this network"],
  ["0.255.255.255", "this network"],
  ["10.0.0.0", "private"],
  ["10.255.255.255", "private"],
  ["100.64.0.1", "carrier-grade NAT"],
  ["100.127.255.255", "carrier-grade NAT"],
  ["100.100.100.200", "cloud metadata"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["168.63.129.16", "cloud metadata"],
  ["169.254.0.1", "link-local"],
  ["169.254.169.254", "cloud metadata"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.0.0.192", "protocol assignments"],
  ["192.0.2.1", "documentation"],
  ["192.88.99.1", "6to4 relay"],
  ["192.168.0.1", "private"],
  ["192.168.255.255", "private"],
  ["198.18.0.1", "benchmarking"],
  ["198.19.255.255", "benchmarking"],
  ["198.51.100.7", "documentation"],
  ["203.0.113.9", "documentation"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.255", "multicast"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.255", "broadcast"],
  ["::", "unspecified"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["::ffff:127.0.0.1", "IPv4-mapped"],
  ["::ffff:7f00:1", "IPv4-mapped"],
  ["::ffff:8.8.8.8", "IPv4-mapped"],
  ["::ffff:0:127.0.0.1", "IPv4-translated"],
  ["::7f00:1", "IPv4-compatible"],
  ["::127.0.0.1", "IPv4-mapped"],
  ["64:ff9b::7f00:1", "NAT64"],
  ["64:ff9b::169.254.169.254", "NAT64"],
  ["64:ff9b:1::10.0.0.1", "local NAT64"],
  ["100::1", "discard-only"],
  ["2001::1", "Teredo"],
  ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"],
  ["2001:2::1", "protocol assignments"],
  ["2001:20::1", "protocol assignments"],
  ["2001:1ff:ffff::1", "protocol assignments"],
  ["2001:db8::1", "documentation"],
  ["2002:7f00:1::", "6to4"],
  ["2002:c0a8:101::1", "6to4"],
  ["3fff::1", "documentation"],
  ["2606:4700::5efe:10.0.0.1", "ISATAP"],
  ["2606:4700::200:5efe:7f00:1", "ISATAP"],
  ["fd00:ec2::254", "cloud metadata"],
  ["fc00::1", "unique local"],
  ["fdff:ffff::1", "unique local"],
  ["fe80::1", "link-local"],
  ["febf::1", "link-local"],
  ["fec0::1", "site-local"],
  ["ff02::1", "multicast"],
  ["4000::1", "outside 2000::/3"],
  ["5f00::1", "outside 2000::/3"],
  ["1fff::1", "outside 2000::/3"],
])("%s is refused as %s", (address, range) => {
  expect(checkAddress(address)).toEqual({
    allowed: false,
    range: expect.stringContaining(range) as string,
  });
});

test.each([
  "",
  "example.com",
  "127.1",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "2130706433",
  "010.8.8.8",
  "8.8.8.8 ",
  "8.8.8.8.",
  "8.8.8.256",
  "[2606:4700::1]",
  "2606:4700::1%eth0",
  "fe80::1%1",
  "2606:4700:::1",
  "1".repeat(60),
])("what is no plain address is refused: %j", (address) => {
  expect(checkAddress(address)).toEqual({ allowed: false, range: "not a plain IP address" });
});

test.each([
  ["[::1]", "::1"],
  ["127.0.0.1", "127.0.0.1"],
  ["127.1", undefined],
  ["example.com", undefined],
])("the literal address of host %s is %s", (hostname, address) => {
  expect(literalAddress(hostname)).toBe(address);
});

test.each([
  ["::ffff:127.0.0.1", "127.0.0.1"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["2606:4700:0::1", "2606:4700::1"],
])("%s and %s are one address", (left, right) => {
  expect(canonicalAddress(left)).toBe(canonicalAddress(right));
});
