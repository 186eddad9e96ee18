import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness, valueOf } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

const REQUEST = {
  method: "POST",
  url: "https://shop.example/cart?id=7",
  headers: { "x-trace": "abc" },
  body: "two shirts",
};

describe("a default export", () => {
  test("that is a function is called with the input and a context", async () => {
    const code = `export default (input, ctx) => ({ input, ctx: [ctx.runId, ctx.env, ctx.signal.aborted] });`;
    const options = { input: { a: [1] }, boot: { env: { K: "v" }, runId: "run_9" } };
    expect(await guest.value(code, options)).toEqual({
      input: { a: [1] },
      ctx: ["run_9", { K: "v" }, false],
    });
  });

  test("gets undefined where there was no input, and null where that was it", async () => {
    const code = `export default (input) => String(input);`;
    expect(await guest.value(code)).toBe("undefined");
    expect(await guest.value(code, { input: null })).toBe("null");
  });

  test("that is an object with fetch is called with the run's request", async () => {
    const code = `export default {
      tax: 2,
      async fetch(request, env, ctx) {
        const body = [request instanceof Request, request.method, request.url, request.headers.get("x-trace"), await request.text(), env.K, ctx.runId, this.tax];
        return Response.json(body, { status: 201, statusText: "Made", headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] });
      },
    };`;
    const result = await guest.value(code, { boot: { request: REQUEST, env: { K: "v" } } });
    expect(result).toEqual({
      status: 201,
      statusText: "Made",
      headers: [
        ["content-type", "application/json"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
      body: JSON.stringify([true, "POST", REQUEST.url, "abc", "two shirts", "v", "run_1", 2]),
    });
  });

  test("with fetch gets a plain GET where the run has no request", async () => {
    const code = `export default { fetch: (request) => new Response(request.method + " " + request.url) };`;
    expect(await guest.value(code)).toMatchObject({ body: "GET http://localhost/" });
  });

  test.each([
    ["a value", `{ a: 1 }`, { a: 1 }],
    ["a promise", `Promise.resolve([1])`, [1]],
    ["a promise of a function's value", `(async () => 3)()`, 3],
    ["null", `null`, null],
    ["a number", `42`, 42],
  ])("that is %s is the result", async (_what, expression, result) => {
    expect(await guest.value(`export default ${expression};`)).toEqual(result);
  });

  test("that is a class is a value, not called", async () => {
    expect(await guest.value(`export default class Shop {}`)).toMatchObject({ name: "Shop" });
  });

  test("may be asynchronous, and wait for timers", async () => {
    const code = `export default async () => { await new Promise((resolve) => setTimeout(resolve, 5)); return "later"; };`;
    expect(await guest.value(code)).toBe("later");
  });

  test("may be a thenable's answer", async () => {
    expect(await guest.value(`export default () => ({ then(done) { done(5); } });`)).toBe(5);
  });

  test("a Response's body is text where it is UTF-8, bytes where not, null where there is none", async () => {
    const bodies = ['"ä"', "new Uint8Array([255, 0])", "null"];
    const values = await Promise.all(
      bodies.map((body) => guest.returned(`return new Response(${body});`)),
    );
    expect(values).toMatchObject([
      { body: "ä" },
      { body: new Uint8Array([255, 0]) },
      { status: 200, body: null },
    ]);
  });
});

describe("a module without default export", () => {
  test("gives no value, and ends when nothing is under way any more", async () => {
    const code = `
      const log = (text) => console.log(text);
      (async () => { log("a"); await new Promise((resolve) => setTimeout(resolve, 5)); log("b"); })();
      setTimeout(() => { let n = 0; const id = setInterval(() => { log(++n); if (n === 2) clearInterval(id); }, 1); }, 10);
      crypto.subtle.digest("SHA-1", new Uint8Array()).then(() => log("hashed"));
      AbortSignal.timeout(60_000);`;
    const { end, lines } = await guest.run(code);
    expect(valueOf(end)).toBeUndefined();
    expect(lines.map(({ text }) => text).toSorted()).toEqual(["1", "2", "a", "b", "hashed"]);
  });

  test("that serves is called with the run's request", async () => {
    const code = `Deno.serve(async (request, info) => new Response((await request.text()).toUpperCase() + info.remoteAddr.transport));`;
    expect(await guest.value(code, { boot: { request: REQUEST } })).toMatchObject({
      status: 200,
      body: "TWO SHIRTStcp",
    });
  });

  test.each([
    [`Deno.serve({ port: 80 }, () => new Response("a"))`],
    [`Deno.serve({ handler: () => new Response("a") })`],
  ])("may serve as %s", async (code) => {
    expect(await guest.value(code)).toMatchObject({ body: "a" });
  });
});

describe("what goes wrong", () => {
  const failure = async (code: string) => {
    const { end } = await guest.run(code);
    if (end.kind !== "error") throw new Error(`The run ended with ${end.kind}`);
    return end;
  };

  test("an error fails the run with its name, message, and the program's own frames", async () => {
    const end = await failure(
      `export default async () => {\n  await null;\n  new URL("nowhere");\n};`,
    );
    expect(end).toMatchObject({ name: "TypeError", message: 'Invalid URL: "nowhere"' });
    expect(end.stack).toMatch(/^TypeError: Invalid URL: "nowhere"\n {4}at .*main\.ts:3:3\)?$/);
  });

  test("causes and parts of an error are told with it", async () => {
    const end = await failure(
      `export default () => { throw new AggregateError([new Error("one"), 2], "both", { cause: new TypeError("why", { cause: "deep" }) }); };`,
    );
    expect(end).toMatchObject({ name: "AggregateError", message: "both" });
    expect(end.stack).toMatch(
      /\[errors 0\]: Error: one\n.*\[errors 1\]: 2\nCaused by: TypeError: why/,
    );
    expect(end.stack).toContain('\nCaused by: "deep"');
  });

  test.each([
    [`"text"`, `Uncaught "text"`],
    [`undefined`, "Uncaught undefined"],
    [`null`, "Uncaught null"],
    [`12n`, "Uncaught 12n"],
    [`Symbol("s")`, "Uncaught Symbol(s)"],
    [`{ code: 5 }`, "Uncaught { code: 5 }"],
  ])("throwing %s fails the run with %s", async (thrown, message) => {
    const code = `export default () => { throw ${thrown}; };`;
    expect(await failure(code)).toMatchObject({ name: "Error", message });
  });

  test("an error in a timer fails the run that waits for something else", async () => {
    const code = `setTimeout(() => { throw new RangeError("late"); }, 1); export default () => new Promise(() => {});`;
    expect(await failure(code)).toMatchObject({ name: "RangeError", message: "late" });
  });

  test("an error in a microtask fails the run", async () => {
    const code = `queueMicrotask(() => { throw new RangeError("micro"); }); export default () => new Promise(() => {});`;
    expect(await failure(code)).toMatchObject({ name: "RangeError", message: "micro" });
  });

  test.each([
    [
      `addEventListener("error", (event) => { event.preventDefault(); seen.push(event.error.message); });`,
    ],
    [
      `globalThis.onerror = (message, file, line, column, error) => { seen.push(error.message); return true; };`,
    ],
  ])("a listener may take an uncaught error: %s", async (listen) => {
    const code = `const seen = []; ${listen} setTimeout(() => { throw new Error("late"); }, 1); reportError(new Error("told"));
      export default () => new Promise((resolve) => setTimeout(() => resolve(seen), 5));`;
    expect(await guest.value(code)).toEqual(["told", "late"]);
  });

  test("a rejection nobody handles leaves the isolate, and nothing else does", async () => {
    const { crossed } = await guest.run(`Promise.reject(new Error("lost")); export default 1;`);
    expect(crossed).toMatchObject([{ message: "lost" }]);
  });

  test.each([
    [
      "a getter that throws",
      `const e = new Error("x"); Object.defineProperty(e, "stack", { get() { throw 1; } }); throw e;`,
      { message: "x" },
    ],
    [
      "a message that is no text",
      `const e = new Error(); e.message = { toString() { throw 1; } }; e.name = 5; throw e;`,
      { name: "Error", message: "" },
    ],
    [
      "a revoked Proxy",
      `const { proxy, revoke } = Proxy.revocable(new Error("x"), {}); revoke(); throw proxy;`,
      { name: "Error", message: "Uncaught a value that cannot be read" },
    ],
    [
      "a Proxy of an error",
      `throw new Proxy(new TypeError("inside"), {});`,
      { name: "TypeError", message: "inside" },
    ],
    [
      "prepareStackTrace that throws",
      `Error.prepareStackTrace = () => { throw new Error("mine"); }; throw new TypeError("x");`,
      { name: "TypeError", message: "x" },
    ],
    [
      "prepareStackTrace that gives an object",
      `Error.prepareStackTrace = () => ({}); throw new TypeError("x");`,
      { stack: "TypeError: x" },
    ],
    ["causes in a circle", `const e = new Error("x"); e.cause = e; throw e;`, { message: "x" }],
    [
      "patched text methods",
      `String.prototype.includes = String.prototype.slice = String.prototype.indexOf = () => { throw 1; }; throw new RangeError("x");`,
      { name: "RangeError", message: "x" },
    ],
    [
      "a very long message",
      `throw new Error("x".repeat(1e6));`,
      { message: `${"x".repeat(1_999)}…` },
    ],
  ])("%s does not leave the isolate", async (_what, body, expected) => {
    const { end, crossed } = await guest.run(`export default () => { ${body} };`);
    expect(end).toMatchObject({ kind: "error", ...expected });
    expect(crossed).toEqual([]);
  });

  test("too many timers are refused to the program", async () => {
    const code = `export default () => { let n = 0; try { for (;; n++) setTimeout(() => {}, 1e6); } catch (error) { return [n, error.name]; } };`;
    expect(await guest.value(code, { pendingOps: 10 })).toEqual([10, "RangeError"]);
  });
});

describe("a run's end", () => {
  test("aborts the context's signal", async () => {
    const code = `export default (_, ctx) => { ctx.signal.addEventListener("abort", () => console.log("ended: " + ctx.signal.reason.name)); return 1; };`;
    const { lines } = await guest.run(code);
    expect(lines.map(({ text }) => text)).toEqual(["ended: AbortError"]);
  });

  test("comes once, whatever happens after it", async () => {
    const code = `export default (_, ctx) => { ctx.signal.addEventListener("abort", () => { throw new Error("after"); }); return 1; };`;
    const { end } = await guest.run(code);
    expect(valueOf(end)).toBe(1);
  });

  test("leaves nothing to the next run of the same instance", async () => {
    const realm = guest.start();
    const code = `let runs = 0; export default async (_, ctx) => { runs++; setTimeout(() => console.log("stale"), 5); console.group("g"); return [runs, ctx.runId, Deno.env.get("A") ?? null]; };`;
    const module = guest.isolate.compileModuleSync(code, { filename: "file:///main.ts" });
    module.instantiateSync(realm.context, () => {
      throw new Error("Cannot import in this harness");
    });
    module.evaluateSync();
    const first = await realm.main(module);
    realm.boot({ runId: "run_2", env: { A: "1" } });
    const second = await realm.main(module);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([valueOf(first.end), valueOf(second.end)]).toEqual([
      [1, "run_1", null],
      [2, "run_2", "1"],
    ]);
    expect(first.lines.map(({ text }) => text)).toEqual(["g"]);
    expect(second.lines.map(({ text }) => text)).toEqual(["g", "  stale"]);
  });
});
