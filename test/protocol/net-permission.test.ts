import { describe, expect, it } from "vitest";

import {
  isHostGranted,
  isNetPatternCovered,
  parseNetPattern,
} from "../../protocol/net-permission.ts";

const patternOf = (text: string) => {
  const pattern = parseNetPattern(text);
  if (pattern === undefined) throw new Error(`"${text}" is no pattern`);
  return pattern;
};

describe("parseNetPattern()", () => {
  it.each([
    ["example.com", { host: "example.com", wildcard: false, port: undefined }],
    ["API.Example.com:8443", { host: "api.example.com", wildcard: false, port: 8_443 }],
    ["*.example.com", { host: "example.com", wildcard: true, port: undefined }],
    ["*.example.com:443", { host: "example.com", wildcard: true, port: 443 }],
    ["127.0.0.1", { host: "127.0.0.1", wildcard: false, port: undefined }],
    ["[2001:db8::1]:80", { host: "[2001:db8::1]", wildcard: false, port: 80 }],
    ["*", { host: "", wildcard: true, port: undefined }],
  ])("reads %s", (text, pattern) => {
    expect(parseNetPattern(text)).toEqual(pattern);
  });

  it.each([
    "",
    "http://example.com",
    "example.com/path",
    "example.com:",
    "example.com:0",
    "example.com:65536",
    "example.com:080",
    "user@example.com",
    "a..b",
    "-a.com",
    "*.*.com",
    "a.*.com",
    "*.[::1]",
    "ex ample.com",
    "a".repeat(300),
  ])("refuses %s", (text) => {
    expect(parseNetPattern(text)).toBeUndefined();
  });
});

it.each([
  [["example.com"], "example.com", 443, true],
  [["example.com"], "EXAMPLE.com.", 443, true],
  [["example.com"], "sub.example.com", 443, false],
  [["example.com:80"], "example.com", 443, false],
  [["*.example.com"], "a.b.example.com", 1, true],
  [["*.example.com"], "example.com", 443, false],
  [["*.example.com"], "evilexample.com", 443, false],
  [["*"], "anything.at.all", 443, true],
  [[], "example.com", 443, false],
  [["a.com", "b.com"], "b.com", 443, true],
])("with %j granted, %s:%i is reached: %s", (granted, host, port, reached) => {
  expect(isHostGranted(granted.map(patternOf), host, port)).toBe(reached);
});

it.each([
  ["*", "example.com:80", true],
  ["*", "*", true],
  ["example.com", "example.com:80", true],
  ["example.com:80", "example.com:80", true],
  ["example.com:80", "example.com", false],
  ["*.example.com", "a.example.com", true],
  ["*.example.com", "*.example.com", true],
  ["*.example.com", "*.a.example.com:1", true],
  ["*.example.com", "example.com", false],
  ["a.example.com", "*.example.com", false],
  ["example.com", "*", false],
  ["*.example.com:1", "a.example.com:2", false],
])("%s covers %s: %s", (allowed, asked, covers) => {
  expect(isNetPatternCovered([patternOf(allowed)], patternOf(asked))).toBe(covers);
});
