import { describe, expect, test } from "vitest";

import { redirectedHop, redirectLocation } from "../../egress/redirect.ts";
import { REQUEST_HEADER_MAX_BYTES, sendableHeaders } from "../../egress/request-headers.ts";
import { CONTENT_CODINGS_MAX, contentCodings } from "../../egress/response-body.ts";

describe("request headers", () => {
  test("what the connection says itself is left out, whatever its case", () => {
    const verdict = sendableHeaders([
      ["Host", "other.example"],
      ["Connection", "keep-alive, X-Hop"],
      ["X-Hop", "1"],
      ["Keep-Alive", "timeout=5"],
      ["Content-Length", "3"],
      ["TRANSFER-ENCODING", "chunked"],
      ["Upgrade", "h2c"],
      ["HTTP2-Settings", "AAA"],
      ["TE", "trailers"],
      ["Trailer", "x"],
      ["Expect", "100-continue"],
      ["Proxy-Authorization", "Basic eDp5"],
      ["Proxy-Connection", "keep-alive"],
      ["Accept", "text/plain"],
      ["X-Twice", "1"],
      ["X-Twice", "2"],
    ]);
    expect(verdict).toEqual({
      ok: true,
      headers: [
        ["accept", "text/plain"],
        ["x-twice", "1"],
        ["x-twice", "2"],
      ],
    });
  });

  test.each([
    [["x", "1\r\nhost: other.example"], "a malformed value"],
    [["x", "1\n2"], "a malformed value"],
    [["x", "1\r2"], "a malformed value"],
    [["x", "1\0"], "a malformed value"],
    [["x", "\u0127"], "a malformed value"],
    [["x", "\u010d\u010a"], "a malformed value"],
    [["x\r\ny", "1"], "a malformed header name"],
    [["x:", "1"], "a malformed header name"],
    [["x y", "1"], "a malformed header name"],
    [["host ", "other.example"], "a malformed header name"],
    [["ｈost", "other.example"], "a malformed header name"],
    [["", "1"], "a malformed header name"],
  ] as const)("%j refuses the request", (header, reason) => {
    expect(sendableHeaders([header])).toMatchObject({
      ok: false,
      kind: "denied",
      reason: expect.stringContaining(reason) as string,
    });
  });

  test("their bytes are capped, and another cap may be set", () => {
    const ofBytes = (bytes: number) => [["x", "1".repeat(bytes - 5)]] as const;
    expect(sendableHeaders(ofBytes(REQUEST_HEADER_MAX_BYTES)).ok).toBe(true);
    expect(sendableHeaders(ofBytes(REQUEST_HEADER_MAX_BYTES + 1))).toMatchObject({
      ok: false,
      kind: "too_large",
    });
    expect(sendableHeaders(ofBytes(100), 99).ok).toBe(false);
  });
});

describe("redirects", () => {
  const post = {
    method: "POST",
    url: "https://a.example/one#part",
    headers: [
      ["authorization", "Bearer t"],
      ["cookie", "a=b"],
      ["content-type", "text/plain"],
      ["x-kept", "1"],
    ],
    body: new Uint8Array([1]),
  } as const;

  test.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [301, "PUT", "PUT"],
    [302, "DELETE", "DELETE"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
  ])("a %i after %s is followed with %s", (status, method, then) => {
    expect(redirectedHop({ ...post, method }, status, "/two")?.method).toBe(then);
  });

  test("a body goes with its headers or not at all", () => {
    const dropped = redirectedHop(post, 303, "/two")!;
    expect(dropped.body).toBeNull();
    expect(dropped.headers.map(([name]) => name)).toEqual(["authorization", "cookie", "x-kept"]);
    const kept = redirectedHop(post, 307, "/two")!;
    expect(kept.body).toEqual(post.body);
    expect(kept.headers).toEqual(post.headers);
  });

  test.each([
    "https://b.example/",
    "http://a.example/",
    "https://a.example:444/",
    "//b.example/",
    "https://a.example.evil.example/",
  ])("credentials don't go to another origin: %s", (location) => {
    const hop = redirectedHop(post, 307, location)!;
    expect(hop.headers.map(([name]) => name)).toEqual(["content-type", "x-kept"]);
  });

  test("a location is relative to where it came from, and keeps the fragment", () => {
    expect(redirectedHop(post, 307, "two?q")?.url).toBe("https://a.example/two?q#part");
    expect(redirectedHop(post, 307, "/two#new")?.url).toBe("https://a.example/two#new");
  });

  test("a malformed location leads nowhere", () => {
    expect(redirectedHop(post, 307, "http://[")).toBeUndefined();
  });

  test("only a redirecting status with a location is a redirect", () => {
    expect(redirectLocation(302, [["location", "/x"]])).toBe("/x");
    expect(redirectLocation(302, [])).toBeUndefined();
    expect(redirectLocation(304, [["location", "/x"]])).toBeUndefined();
    expect(redirectLocation(200, [["location", "/x"]])).toBeUndefined();
  });
});

test.each([
  [[], []],
  [["identity"], []],
  [["gzip"], ["gzip"]],
  [["GZIP , br"], ["gzip", "br"]],
  [
    ["deflate", "x-gzip"],
    ["deflate", "x-gzip"],
  ],
  [["compress"], undefined],
  [["gzip, exotic"], undefined],
  [[Array.from({ length: CONTENT_CODINGS_MAX + 1 }, () => "gzip").join()], undefined],
])("content codings %j are read as %j", (values, codings) => {
  expect(contentCodings(values)).toEqual(codings);
});
