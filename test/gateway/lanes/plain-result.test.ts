import { describe, expect, it } from "vitest";

import { isPlainResult } from "../../../gateway/lanes/plain-result.ts";
import { ExecutorResult } from "../../../protocol/sandbox-api.ts";
import { consoleLine, executorResult } from "../support.ts";

const whole = executorResult();
const { usage } = whole;

/** What no field of a result may be, and some of what it may. */
const ODD_VALUES = [undefined, null, true, "", "text", 0, -1, 0.5, NaN, Infinity, [], ["x"], {}];

describe("isPlainResult()", () => {
  it.each([
    ["a value and no output", whole],
    ["output", { ...whole, stdout: "out", stderr: "err" }],
    ["a tagged value", { ...whole, encoding: "tagged" }],
    ["times with fractions", { ...whole, usage: { ...usage, wallMs: 1.25 } }],
  ])("takes a good end with %s", (_what, json) => {
    expect(isPlainResult(json)).toBe(true);
  });

  it.each([
    ["an error", { ...whole, error: { name: "Error", message: "no", stack: null } }],
    ["another outcome", { ...whole, outcome: "failed" }],
    ["lines of console", { ...whole, console: [consoleLine("hello")] }],
    ["output that was cut", { ...whole, truncated: { stdoutBytes: 1, stderrBytes: 0 } }],
    ["an unknown field", { ...whole, more: 1 }],
    ["an unknown field of use", { ...whole, usage: { ...usage, more: 1 } }],
  ])("leaves to the schema what has %s", (_what, json) => {
    expect(isPlainResult(json)).toBe(false);
  });

  it.each(Object.keys(whole))("takes nothing that the schema refuses for its %s", (field) => {
    const { [field]: _, ...without } = { ...whole } as Record<string, unknown>;
    expect(isPlainResult(without)).toBe(false);
    const taken = ODD_VALUES.map((value) => ({ ...whole, [field]: value })).filter(isPlainResult);
    expect(taken.map((json) => ExecutorResult.parse(json))).toEqual(taken);
  });

  it.each(Object.keys(usage))("takes nothing that the schema refuses for its use's %s", (field) => {
    const taken = ODD_VALUES.map((value) => ({
      ...whole,
      usage: { ...usage, [field]: value },
    })).filter(isPlainResult);
    expect(taken.map((json) => ExecutorResult.parse(json))).toEqual(taken);
  });

  it.each([undefined, null, 1, "text", [], [whole]])("takes no %j", (json) => {
    expect(isPlainResult(json)).toBe(false);
  });
});
