import { describe, expect, it } from "vitest";

import {
  ERROR_STACK_MAX,
  mapPlaces,
  mapResultStacks,
  mapStack,
  splitPlace,
} from "../../../sandbox-worker/cage/stack.ts";

/** Knows one module, whose lines moved down by ten. */
const mapPosition = (url: string, line: number, column: number) =>
  url === "file:///main.ts" ? { line: line + 10, column } : null;

describe("mapStack", () => {
  it("moves positions of the tenant's modules to their sources", () => {
    const stack = "Error: no\n    at f (file:///main.ts:1:2)\n    at file:///main.ts:3:4";
    expect(mapStack(stack, mapPosition)).toBe(
      "Error: no\n    at f (file:///main.ts:11:2)\n    at file:///main.ts:13:4",
    );
  });

  it("leaves out every frame that is not the tenant's or V8's", () => {
    const stack = [
      "Error: no",
      "    at f (bulkhead:runtime:1:2)",
      "    at file:///srv/app/sandbox-worker/cage/run.ts:9:9",
      "    at Array.map (<anonymous>)",
      "    at async Promise.all (index 0)",
      "    at node:internal/process:3:1",
      "    at <isolated-vm>:1:1",
      "    at f (file:///main.ts:1:1)",
    ].join("\n");
    expect(mapStack(stack, mapPosition).split("\n")).toEqual([
      "Error: no",
      "    at Array.map (<anonymous>)",
      "    at async Promise.all (index 0)",
      "    at f (file:///main.ts:11:1)",
    ]);
  });

  it("maps the place of an eval, and keeps lines that are no frames", () => {
    const stack =
      "Error: a\nb\n    at eval (eval at f (file:///main.ts:1:2), <anonymous>:1:1)\nCaused by: Error: c";
    expect(mapStack(stack, mapPosition)).toBe(
      "Error: a\nb\n    at eval (eval at f (file:///main.ts:11:2), <anonymous>:1:1)\nCaused by: Error: c",
    );
  });

  it("cuts what is too long", () => {
    const stack = `Error: ${"x".repeat(100_000)}`;
    expect(mapStack(stack, mapPosition)).toHaveLength(ERROR_STACK_MAX);
  });

  it("is quick on a stack made to be slow", () => {
    const stack = `    at ${"file:///(".repeat(50_000)}`;
    expect(mapStack(stack, mapPosition)).toBe("");
  });
});

describe("splitPlace", () => {
  it("takes the place out of a compiler's message", () => {
    expect(splitPlace("Unexpected token [file:///main.ts:1:9]", mapPosition)).toEqual({
      message: "Unexpected token",
      place: "file:///main.ts:11:9",
    });
  });

  it("leaves a message without one as it is", () => {
    expect(splitPlace("Nothing [to] see", mapPosition)).toEqual({
      message: "Nothing [to] see",
      place: null,
    });
  });
});

describe("mapPlaces", () => {
  it("moves the places of frames, and nothing else of a text", () => {
    const text =
      "see file:///main.ts:1:2\n    at f (file:///main.ts:1:2)\n    at g (file:///b.ts:1:2)";
    expect(mapPlaces(text, mapPosition)).toBe(
      "see file:///main.ts:1:2\n    at f (file:///main.ts:11:2)\n    at g (file:///b.ts:1:2)",
    );
  });
});

describe("mapResultStacks", () => {
  const tagged = (stack: string): string =>
    JSON.stringify({ a: { $type: "error", value: { name: "E", message: '"', stack } } });

  it("moves the places in errors' stacks, and leaves the rest of the JSON as it is", () => {
    const stack = 'E: "\\\n    at f (file:///main.ts:1:2)\n    at file:///main.ts:3:4';
    expect(mapResultStacks(tagged(stack), mapPosition)).toBe(
      tagged('E: "\\\n    at f (file:///main.ts:11:2)\n    at file:///main.ts:13:4'),
    );
  });

  it("does not touch a result without errors", () => {
    const json = JSON.stringify({ stack: "\n    at f (file:///main.ts:1:2)" });
    expect(mapResultStacks(json, mapPosition)).toBe(json);
  });
});
