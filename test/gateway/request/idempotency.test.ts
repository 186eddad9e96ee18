import { describe, expect, it } from "vitest";

import { readEnvelope } from "../../../gateway/request/envelope.ts";
import { idempotencyOf, readIdempotencyKey } from "../../../gateway/request/idempotency.ts";
import { waitOf } from "../../../gateway/request/prefer.ts";

describe("readIdempotencyKey()", () => {
  it.each([
    ['"8e03978e-40d5"', "8e03978e-40d5"],
    ["8e03978e-40d5", "8e03978e-40d5"],
    ['  "a\\"b" ', 'a"b'],
    ["x".repeat(255), "x".repeat(255)],
  ])("reads %s", (header, key) => {
    expect(readIdempotencyKey(header)).toEqual({ ok: true, value: key });
  });

  it("is undefined where there is none", () => {
    expect(readIdempotencyKey(undefined)).toEqual({ ok: true, value: undefined });
  });

  it.each([[""], ['""'], ['"a'], ["a b"], ["é"], ["x".repeat(256)], ['"a", "b"']])(
    "refuses %j",
    (header) => {
      expect(readIdempotencyKey(header)).toMatchObject({
        failure: { code: "malformed_request", issues: [{ path: "Idempotency-Key" }] },
      });
    },
  );
});

describe("idempotencyOf()", () => {
  const of = async (body: string, changes: object = {}) => {
    const envelope = readEnvelope(body);
    if (!envelope.ok) throw new Error("cannot be read");
    const request = { method: "POST", path: "/v1/jobs", query: "", envelope: envelope.value };
    return idempotencyOf("k", { ...request, ...changes });
  };

  it("is the same for the same request, however its keys are ordered and spaced", async () => {
    const one = await of('{"a":{"x":1,"y":[1,2]},"b":2}');
    expect(one).toEqual({
      key: "POST /v1/jobs k",
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await of('{ "b": 2, "a": {"y":[1,2],"x":1} }')).toEqual(one);
  });

  it("differs by all that was asked", async () => {
    const all = await Promise.all([
      of('{"a":1}'),
      of('{"a":2}'),
      of('{"a":[1,2]}'),
      of('{"a":[2,1]}'),
      of('{"a":1,"input":1}'),
      of('{"a":1,"input":1.0}'),
      of('{"a":1}', { query: "?x" }),
      of('{"a":1}', { path: "/v1/run" }),
    ]);
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(all.length);
  });
});

it.each([
  [undefined, undefined],
  ["respond-async", undefined],
  ["wait=20", 20],
  ["respond-async, wait=5", 5],
  ['Wait = "7"; x=1', 7],
  ["wait=-1", undefined],
  ["wait=soon", undefined],
])("of Prefer %s the wait is %s seconds", (header, seconds) => {
  expect(waitOf(header)).toBe(seconds);
});
