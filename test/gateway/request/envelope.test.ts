import { describe, expect, it } from "vitest";

import { JSON_DEPTH_MAX, readEnvelope } from "../../../gateway/request/envelope.ts";
import { isJson, JsonCursor } from "../../../gateway/request/json-text.ts";

const read = (text: string) => {
  const envelope = readEnvelope(text);
  if (!envelope.ok) throw new Error(JSON.stringify(envelope.failure));
  return envelope.value;
};

const issueOf = (text: string) => {
  const envelope = readEnvelope(text);
  if (envelope.ok || envelope.failure.code !== "malformed_request") throw new Error("was read");
  return envelope.failure.issues[0];
};

describe("readEnvelope()", () => {
  it.each([
    ["1.0"],
    ["1e400"],
    ["-0"],
    ["123456789012345678901234567890"],
    ['"\\u0041\\ud800"'],
    ['{"a": 1, "a" :2}'],
    ['{"__proto__": {"x": 1}}'],
    ["[ ]"],
    ["null"],
    ['{"input": "inner"}'],
    ['"} , \\"input\\": 1"'],
  ])("keeps the input %s as the text it is", (input) => {
    const text = `{"language": "javascript",\n "input" : ${input} , "code":"x"}`;
    expect(read(text)).toEqual({
      fields: { language: "javascript", code: "x" },
      inputJson: input,
    });
  });

  it("knows the input by its escaped name, too", () => {
    expect(read('{"\\u0069nput":[1]}')).toEqual({ fields: {}, inputJson: "[1]" });
  });

  it("tells a null input from none", () => {
    expect(read('{"input":null}').inputJson).toBe("null");
    expect(read("{}").inputJson).toBeNull();
  });

  it("leaves an input below the top level where it is", () => {
    expect(read('{"env":{"input":"x"}}')).toEqual({
      fields: { env: { input: "x" } },
      inputJson: null,
    });
  });

  it.each([
    ['{"code":"a","code":"b"}', "code"],
    ['{"input":1,"input":2}', "input"],
    ['{"input":1,"in\\u0070ut":2}', "input"],
    ['{"limits":{"wallMs":1,"cpuMs":1,"wallMs":2}}', "limits.wallMs"],
    ['{"files":[{"path":"a"},{"path":"b","path":"c"}]}', "files.1.path"],
  ])("refuses a key that occurs twice: %s", (text, path) => {
    expect(issueOf(text)).toEqual({ path, message: "must occur once" });
  });

  it("refuses a key that would not become a field", () => {
    expect(issueOf('{"env":{"__proto__":"x"}}')).toMatchObject({ path: "env.__proto__" });
  });

  it.each([
    "",
    " ",
    "{",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1}}',
    "{'a':1}",
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":1e}',
    '{"a":tru}',
    '{"a":NaN}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":"tab\there"}',
    '{"a":"open}',
    '{"a":[1 2]}',
    '{"a":[1,]}',
    '{"input":[1}',
    '{"input":{"a":1,}}',
    '{"input":}',
    '{"input":1 2}',
    "\ufeff{}",
    "/* */{}",
  ])("refuses what is not JSON: %s", (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(issueOf(text)?.message).toMatch(/^is not JSON/);
  });

  it("repeats nothing of what it could not read", () => {
    expect(issueOf('{"secret-token')).toEqual({
      path: "",
      message: "is not JSON: it ends too early",
    });
  });

  it.each([
    ["lists", "[", "1", "]"],
    ["objects", '{"a":', "1", "}"],
  ])(
    "reads %s up to the deepest level and not below, in the input as outside",
    (_, open, leaf, close) => {
      const nested = (depth: number) => open.repeat(depth) + leaf + close.repeat(depth);
      const deepest = nested(JSON_DEPTH_MAX - 1);
      const deeper = nested(JSON_DEPTH_MAX);
      expect(read(`{"input":${deepest}}`).inputJson).toBe(deepest);
      expect(issueOf(`{"input":${deeper}}`)).toMatchObject({ path: "input" });
      expect(read(`{"x":${deepest}}`).inputJson).toBeNull();
      expect(issueOf(`{"x":${deeper}}`)?.message).toBe("must not nest deeper than 64 levels");
    },
  );

  it("survives a hundred thousand open brackets", () => {
    expect(issueOf(`{"input":${"[".repeat(100_000)}`)?.path).toBe("input");
    expect(issueOf("[".repeat(100_000))?.message).toMatch(/must not nest deeper/);
  });

  it("cuts a long key that it names", () => {
    const key = "k".repeat(5_000);
    expect(issueOf(`{"${key}":1,"${key}":2}`)?.path.length).toBeLessThanOrEqual(64);
  });
});

describe("isJson()", () => {
  it.each(["1", '"a"', " [1, {}] ", "[".repeat(10_000) + "]".repeat(10_000)])(
    "takes one value at any depth",
    (text) => {
      expect(isJson(text)).toBe(true);
    },
  );

  it.each(["", "1,2", '1,"outcome":"ok"', "{}}", "undefined", "[1", '"a" "b"'])(
    "refuses what is not exactly one value: %s",
    (text) => {
      expect(isJson(text)).toBe(false);
    },
  );
});

it("agrees with JSON.parse on texts made by chance", () => {
  const pieces = ["{", "}", "[", "]", ",", ":", '"a"', '"\\n"', "1", "-2.5e3", "true", "null", " "];
  let seed = 42;
  let valid = 0;
  for (let i = 0; i < 20_000; i++) {
    let text = "";
    for (let length = 0; length < 1 + (i % 9); length++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      text += pieces[Math.floor((seed / 2_147_483_648) * pieces.length)] ?? "";
    }
    const cursor = new JsonCursor(text);
    const ours = cursor.value(100) && (cursor.space(), cursor.at === text.length);
    let theirs = true;
    try {
      JSON.parse(text);
    } catch {
      theirs = false;
    }
    if (ours !== theirs) throw new Error(`disagrees on ${text}`);
    if (ours) valid++;
  }
  expect(valid).toBeGreaterThan(500);
});
