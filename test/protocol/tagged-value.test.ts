import { describe, expect, it } from "vitest";

import { DecodedFunction, decodeTagged } from "../../protocol/tagged-value.ts";

const tag = (type: string, value?: unknown) => ({ $type: type, value });

describe("decodeTagged()", () => {
  it.each([[null], [true], [1.5], ["text"], [[1, [2]]], [{ a: { b: 1 } }]])(
    "leaves plain JSON as it is: %j",
    (json) => {
      expect(decodeTagged(json)).toEqual(json);
    },
  );

  it.each([
    [tag("undefined"), undefined],
    [tag("bigint", "-12345678901234567890"), -12_345_678_901_234_567_890n],
    [tag("number", "NaN"), Number.NaN],
    [tag("number", "-Infinity"), -Infinity],
    [tag("number", "-0"), -0],
    [tag("date", "2026-11-22T00:00:00.000Z"), new Date("2026-11-22T00:00:00.000Z")],
    [tag("date", null), new Date(Number.NaN)],
    [tag("set", [1, tag("undefined")]), new Set([1, undefined])],
    [
      tag("map", [
        ["a", tag("bigint", "1")],
        [{ k: 1 }, 2],
      ]),
      new Map<unknown, unknown>([
        ["a", 1n],
        [{ k: 1 }, 2],
      ]),
    ],
    [tag("bytes", { kind: "Uint8Array", base64: "AQID" }), new Uint8Array([1, 2, 3])],
    [tag("bytes", { kind: "Uint16Array", base64: "AQACAA==" }), new Uint16Array([1, 2])],
    [tag("bytes", { kind: "ArrayBuffer", base64: "AQ==" }), new Uint8Array([1]).buffer],
    [tag("function", "add"), new DecodedFunction("add")],
    [
      { $$type: "mine", a: 1 },
      { $type: "mine", a: 1 },
    ],
    [{ $$$type: "mine" }, { $$type: "mine" }],
    [{ $type: 1 }, { $type: 1 }],
  ])("decodes %j", (json, value) => {
    expect(decodeTagged(json)).toStrictEqual(value);
  });

  it("decodes an error with its name, message and stack", () => {
    const error = decodeTagged(
      tag("error", { name: "TypeError", message: "no", stack: "at main.ts" }),
    );
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "TypeError", message: "no", stack: "at main.ts" });
  });

  it("makes cycles and shared parts again", () => {
    const value = decodeTagged({
      self: tag("ref", ""),
      list: [{ x: 1 }, tag("ref", "/list/0")],
      "a/b~c": {},
      same: tag("ref", "/a~1b~0c"),
      map: tag("map", [[{ key: 1 }, tag("ref", "/map/value/0/0")]]),
      set: tag("set", [tag("ref", "/set")]),
    }) as Record<string, unknown>;
    expect(value["self"]).toBe(value);
    const list = value["list"] as unknown[];
    expect(list[1]).toBe(list[0]);
    expect(value["same"]).toBe(value["a/b~c"]);
    const [[key, item]] = [...(value["map"] as Map<unknown, unknown>)] as [[unknown, unknown]];
    expect(item).toBe(key);
    expect([...(value["set"] as Set<unknown>)]).toEqual([value["set"]]);
  });

  it("makes a guest's __proto__ a field, not a prototype", () => {
    const value = decodeTagged(JSON.parse('{"__proto__":{"admin":true}}')) as Record<
      string,
      unknown
    >;
    expect(value["admin"]).toBeUndefined();
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
  });

  it.each([
    [tag("symbol", "x")],
    [tag("bigint", 1)],
    [tag("map", {})],
    [tag("map", [1])],
    [tag("set", "x")],
    [tag("bytes", "AQ==")],
    [tag("bytes", { kind: "Blob", base64: "" })],
    [tag("error", null)],
    [tag("ref", "/nowhere")],
  ])("refuses a tag that is not of the form: %j", (json) => {
    expect(() => decodeTagged(json)).toThrow(SyntaxError);
  });
});
