import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

/** Interfaces of the Minimum Common Web API that a runtime without WebAssembly can have. */
const INTERFACES = [
  "AbortController",
  "AbortSignal",
  "Blob",
  "ByteLengthQueuingStrategy",
  "CompressionStream",
  "CountQueuingStrategy",
  "Crypto",
  "CryptoKey",
  "CustomEvent",
  "DOMException",
  "DecompressionStream",
  "ErrorEvent",
  "Event",
  "EventTarget",
  "File",
  "FormData",
  "Headers",
  "MessageChannel",
  "MessageEvent",
  "MessagePort",
  "Navigator",
  "Performance",
  "PromiseRejectionEvent",
  "ReadableByteStreamController",
  "ReadableStream",
  "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader",
  "Request",
  "Response",
  "SubtleCrypto",
  "TextDecoder",
  "TextDecoderStream",
  "TextEncoder",
  "TextEncoderStream",
  "TransformStream",
  "TransformStreamDefaultController",
  "URL",
  "URLPattern",
  "URLSearchParams",
  "WritableStream",
  "WritableStreamDefaultController",
  "WritableStreamDefaultWriter",
];
const FUNCTIONS = [
  "addEventListener",
  "atob",
  "btoa",
  "clearInterval",
  "clearTimeout",
  "dispatchEvent",
  "fetch",
  "queueMicrotask",
  "removeEventListener",
  "reportError",
  "setInterval",
  "setTimeout",
  "structuredClone",
];
const OBJECTS = ["Deno", "console", "crypto", "navigator", "performance", "self"];

describe("the global object", () => {
  test.each([...INTERFACES, ...FUNCTIONS])("has %s, a function of that name", async (name) => {
    expect(await guest.returned(`return [typeof ${name}, ${name}.name];`)).toEqual([
      "function",
      name,
    ]);
  });

  test.each(OBJECTS)("has the object %s", async (name) => {
    expect(await guest.returned(`return typeof ${name};`)).toBe("object");
  });

  test.each([...INTERFACES, ...FUNCTIONS, ...OBJECTS])(
    "lets a program replace and delete %s, touched before or not",
    async (name) => {
      const replaced = `globalThis.${name} = 1; const seen = ${name}; delete globalThis.${name};`;
      expect(await guest.returned(`${replaced} return [seen, "${name}" in globalThis];`)).toEqual([
        1,
        false,
      ]);
      expect(
        await guest.returned(`void ${name}; ${replaced} return [seen, "${name}" in globalThis];`),
      ).toEqual([1, false]);
    },
  );

  test("gives each interface its string tag", async () => {
    const tags = `({ Blob: new Blob([]), Headers: new Headers(), URL: new URL("http://a"), Request: new Request("http://a"),
      Response: new Response(), FormData: new FormData(), AbortSignal: AbortSignal.abort(), ReadableStream: new ReadableStream(),
      File: new File([], ""), Crypto: crypto, SubtleCrypto: crypto.subtle, Performance: performance, console, DOMException: new DOMException() })`;
    expect(
      await guest.returned(
        `return Object.entries(${tags}).filter(([name, value]) => Object.prototype.toString.call(value) !== "[object " + name + "]").map(([name]) => name);`,
      ),
    ).toEqual([]);
  });

  test.each([
    "WebAssembly",
    "SharedArrayBuffer",
    "Atomics",
    "require",
    "process",
    "Buffer",
    "global",
  ])("has no %s", async (name) => {
    expect(
      await guest.returned(
        `console.log({}); return ["${name}" in globalThis, typeof globalThis["${name}"]];`,
      ),
    ).toEqual([false, "undefined"]);
  });

  test("bears no name of the runtime's own", async () => {
    const names = (await guest.returned(
      `return Reflect.ownKeys(globalThis).map(String).filter((name) => /bulkhead|__|op_/i.test(name));`,
    )) as string[];
    expect(names).toEqual([]);
  });

  test("loads a part when its name is first used, and no other part with it", async () => {
    const accessors = `Object.entries(Object.getOwnPropertyDescriptors(globalThis)).filter(([, d]) => d.get).map(([name]) => name)`;
    const [before, after] = (await guest.returned(
      `const before = ${accessors}; void URLPattern; return [before, ${accessors}];`,
    )) as [string[], string[]];
    expect(before.toSorted()).toEqual(
      [...INTERFACES, ...FUNCTIONS.filter((name) => !EAGER.includes(name)), ...OBJECTS]
        .filter((name) => name !== "self")
        .toSorted(),
    );
    expect(before.filter((name) => !after.includes(name))).toEqual(["URLPattern"]);
  });
});

const EAGER = [
  "clearInterval",
  "clearTimeout",
  "queueMicrotask",
  "reportError",
  "setInterval",
  "setTimeout",
];

describe("Deno's names", () => {
  test("read the run's variables, which nothing changes", async () => {
    const body = `
      let refused; try { Deno.env.set("A", "2"); } catch (error) { refused = error instanceof Deno.errors.NotCapable; }
      return [Deno.env.get("A"), Deno.env.get("toString") ?? null, Deno.env.has("B"), Deno.env.toObject(), refused];`;
    expect(await guest.returned(body, { boot: { env: { A: "1" } } })).toEqual([
      "1",
      null,
      false,
      { A: "1" },
      true,
    ]);
  });

  test.each([
    [`{ name: "net", host: "api.example.com" }`, "granted"],
    [`{ name: "net", host: "api.example.com:443" }`, "granted"],
    [`{ name: "net", host: "other.example.com" }`, "denied"],
    [`{ name: "net" }`, "denied"],
    [`{ name: "env" }`, "granted"],
    [`{ name: "read", path: "/" }`, "denied"],
    [`{ name: "run" }`, "denied"],
  ])("answer a query for %s with %s", async (descriptor, state) => {
    const body = `return [(await Deno.permissions.query(${descriptor})).state, Deno.permissions.querySync(${descriptor}).state];`;
    expect(await guest.returned(body, { boot: { net: ["api.example.com"] } })).toEqual([
      state,
      state,
    ]);
  });

  test("refuse a query for what is no permission", async () => {
    expect(
      await guest.returned(
        `return await Deno.permissions.query({ name: "everything" }).catch((error) => error.name);`,
      ),
    ).toBe("TypeError");
  });

  test("tell the versions", async () => {
    expect(await guest.returned(`return { ...Deno.version };`)).toMatchObject({
      v8: "13.6",
      typescript: "7.0.2",
    });
  });
});
