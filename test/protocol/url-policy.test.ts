import { describe, expect, test } from "vitest";

import { checkAddress, literalAddress } from "../../protocol/address-policy.ts";
import { parseNetPattern } from "../../protocol/net-permission.ts";
import { checkUrl, URL_MAX_BYTES } from "../../protocol/url-policy.ts";

const net = (...patterns: string[]) => patterns.map((pattern) => parseNetPattern(pattern)!);
const anyHost = { net: net("*"), allowPrivateHosts: [] };

function reasonFor(url: string, policy: Parameters<typeof checkUrl>[1] = anyHost) {
  const verdict = checkUrl(url, policy);
  return verdict.allowed ? undefined : verdict.reason;
}

describe("what is granted", () => {
  test.each([
    ["https://example.com/", ["example.com"]],
    ["https://example.com:8443/", ["example.com:8443"]],
    ["http://example.com/", ["example.com:80"]],
    ["https://a.b.example.com/", ["*.example.com"]],
    ["https://EXAMPLE.com/", ["Example.COM"]],
    ["https://bücher.example/", ["xn--bcher-kva.example"]],
    ["https://[2606:4700::1]/", ["[2606:4700::1]"]],
    ["https://anything.example/", ["*"]],
  ])("%s is reached with %j", (url, patterns) => {
    expect(reasonFor(url, { net: net(...patterns), allowPrivateHosts: [] })).toBeUndefined();
  });

  test.each([
    ["https://example.com/", []],
    ["https://example.com/", ["example.org"]],
    ["https://example.com.evil.example/", ["example.com"]],
    ["https://notexample.com/", ["*.example.com"]],
    ["https://example.com/", ["*.example.com"]],
    ["https://example.com:8443/", ["example.com:443"]],
    ["http://example.com/", ["example.com:443"]],
    ["https://evil.example/?example.com", ["example.com"]],
    ["https://evil.example#@example.com", ["example.com"]],
    ["https://evil.example\\@example.com", ["example.com"]],
  ])("%s is refused with %j", (url, patterns) => {
    expect(reasonFor(url, { net: net(...patterns), allowPrivateHosts: [] })).toContain(
      "not among the granted hosts",
    );
  });
});

describe("what is never asked for", () => {
  test.each([
    ["", "cannot be parsed"],
    ["/path", "cannot be parsed"],
    ["http://", "cannot be parsed"],
    ["http://exa mple.com/", "cannot be parsed"],
    ["http://[::1", "cannot be parsed"],
    ["http://256.256.256.256/", "cannot be parsed"],
    ["http://example.com:99999/", "cannot be parsed"],
    ["http://%00.example/", "cannot be parsed"],
    ["file:///etc/passwd", "only http"],
    ["FILE://localhost/etc/passwd", "only http"],
    ["view-source:http://example.com/", "only http"],
    ["ftp://example.com/", "only http"],
    ["gopher://example.com/", "only http"],
    ["ws://example.com/", "only http"],
    ["data:text/plain,hello", "only http"],
    ["blob:https://example.com/1", "only http"],
    ["javascript:alert(1)", "only http"],
    ["unix:/var/run/docker.sock", "only http"],
    ["http://user@example.com/", "user name"],
    ["http://user:secret@example.com/", "user name"],
    ["http://:secret@example.com/", "user name"],
    ["http://example.com@127.0.0.1/", "user name"],
    ["http://localhost/", "local name"],
    ["http://LOCALHOST/", "local name"],
    ["http://a.localhost/", "local name"],
    ["http://printer.local/", "local name"],
    ["http://metadata.google.internal/", "local name"],
    ["http://host.docker.internal/", "local name"],
    ["http://router.home.arpa/", "local name"],
    ["http://localhost.localdomain/", "local name"],
    ["http://localhost./", "ends with a dot"],
    ["http://example.com./", "ends with a dot"],
    ["http://metadata.google.internal./", "ends with a dot"],
    ["http://metadata/", "single-label"],
    ["http://kubernetes/", "single-label"],
    ["http://example.com:22/", "port 22"],
    ["http://example.com:25/", "port 25"],
    ["http://example.com:2375/", "port 2375"],
    ["http://example.com:5432/", "port 5432"],
    ["http://example.com:6379/", "port 6379"],
    ["http://example.com:9222/", "port 9222"],
    ["http://example.com:11211/", "port 11211"],
    ["http://example.com:0/", "port 0"],
  ])("%s is refused: %s", (url, reason) => {
    expect(reasonFor(url)).toContain(reason);
  });

  test("a URL is refused over the length, taken under it, and another length may be set", () => {
    const ofLength = (bytes: number) => "http://example.com/".padEnd(bytes, "a");
    expect(reasonFor(ofLength(URL_MAX_BYTES))).toBeUndefined();
    expect(reasonFor(ofLength(URL_MAX_BYTES + 1))).toContain("longer than 8192 bytes");
    expect(checkUrl(ofLength(100), anyHost, 99).allowed).toBe(false);
  });

  test("length is counted in bytes", () => {
    expect(reasonFor(`http://example.com/${"ü".repeat(URL_MAX_BYTES / 2)}`)).toContain("longer");
  });
});

/** Spellings of 127.0.0.1 and of its like: `URL` brings them to one, and the address list refuses that. */
test.each([
  "http://127.0.0.1/",
  "http://127.1/",
  "http://127.0.1/",
  "http://0x7f.0.0.1/",
  "http://0x7f000001/",
  "http://0177.0.0.1/",
  "http://017700000001/",
  "http://2130706433/",
  "http://127.0.0.1./",
  "http://１２７.0.0.1/",
  "http://①②⑦.⓪.⓪.①/",
  "http://127。0。0。1/",
  "http://127%2e0%2e0%2e1/",
  "http://0/",
  "http://0.0.0.0/",
  "http://[::1]/",
  "http://[::]/",
  "http://[0:0:0:0:0:0:0:1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[::127.0.0.1]/",
  "http://[64:ff9b::127.0.0.1]/",
  "http://[2002:7f00:1::]/",
  "http://[fe80::1]/",
  "http://[fd00:ec2::254]/",
  "http://169.254.169.254/latest/meta-data/",
  "http://0xa9fea9fe/",
  "http://0251.0376.0251.0376/",
  "http://2852039166/",
  "http:127.0.0.1/",
  "http:\\\\127.0.0.1/",
  "\thttp://127.0.0.1/\n",
  "ht\ntp://127.0.0.1/",
])("%j comes to an address that is refused", (url) => {
  const verdict = checkUrl(url, anyHost);
  const address = verdict.allowed ? literalAddress(verdict.target.hostname) : undefined;
  expect(address).toBeDefined();
  expect(checkAddress(address!).allowed).toBe(false);
});

describe("allowPrivateHosts", () => {
  test.each([
    ["http://localhost:9555/", "localhost:9555", "localhost:9555"],
    ["http://localhost:1/", "localhost", "localhost"],
    ["http://127.0.0.1:6379/", "127.0.0.1:6379", "127.0.0.1:6379"],
    ["http://redis/", "redis", "redis"],
  ])("lets %s through when it is granted, too", (url, granted, allowed) => {
    const verdict = checkUrl(url, { net: net(granted), allowPrivateHosts: [allowed] });
    expect(verdict).toMatchObject({ allowed: true, target: { exempt: true } });
  });

  test("grants nothing by itself", () => {
    expect(
      reasonFor("http://localhost:9555/", { net: [], allowPrivateHosts: ["localhost:9555"] }),
    ).toContain("not among the granted hosts");
  });

  test("lifts nothing from other hosts or ports", () => {
    const policy = { net: net("*"), allowPrivateHosts: ["localhost:9555"] };
    expect(reasonFor("http://localhost:9556/", policy)).toContain("local name");
    expect(checkUrl("http://127.0.0.1:9555/", policy)).toMatchObject({ target: { exempt: false } });
  });
});
