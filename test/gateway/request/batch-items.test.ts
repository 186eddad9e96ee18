import { describe, expect, it } from "vitest";

import { batchItems } from "../../../gateway/request/batch-items.ts";

describe("batchItems()", () => {
  it("gives each item's text exactly as it was sent", () => {
    const body = ' { "jobs" : [ {"input": 1.0, "code": "]}"} ,{"a":[1,{"b":2}]}\n, 3 ] } ';
    expect(batchItems(body)).toEqual({
      ok: true,
      value: ['{"input": 1.0, "code": "]}"}', '{"a":[1,{"b":2}]}', "3"],
    });
  });

  it("takes up to a hundred", () => {
    const of = (count: number) =>
      `{"jobs":[${Array.from({ length: count }, () => "{}").join(",")}]}`;
    expect(batchItems(of(100))).toMatchObject({ ok: true });
    expect(batchItems(of(101)).ok).toBe(false);
  });

  it.each([
    "",
    "[]",
    "{}",
    '{"jobs":[]}',
    '{"jobs":{}}',
    '{"jobs":[{}],"more":1}',
    '{"jobs":[{}]',
    '{"jobs":[{}]}x',
    '{"jobs":[{},]}',
    '{"job":[{}]}',
    '{"jobs":[{]}',
  ])("refuses %s", (body) => {
    expect(batchItems(body)).toMatchObject({ failure: { code: "malformed_request" } });
  });
});
