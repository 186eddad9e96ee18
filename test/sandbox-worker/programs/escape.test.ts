import { describe, expect, test } from "vitest";

import { programs } from "./program.ts";

const { run, answer, value } = programs();

/** Runs the body of a function in JavaScript and gives what it returned. */
const probe = async (body: string, more = {}): Promise<unknown> =>
  value(
    await run({
      language: "javascript",
      code: `export default async (input) => {\n${body}\n};`,
      ...more,
    }),
  );

describe("nothing of the host is in reach", () => {
  test("by name", async () => {
    const names = [
      "process",
      "require",
      "module",
      "exports",
      "global",
      "Buffer",
      "__dirname",
      "__filename",
      "setImmediate",
      "importScripts",
      "ivm",
      "isolate",
      "$262",
      "gc",
      "d8",
      "Java",
      "ActiveXObject",
    ];
    expect(
      await probe(
        `return ${JSON.stringify(names)}.filter((name) => name in globalThis || (0, eval)("typeof " + name) !== "undefined");`,
      ),
    ).toEqual([]);
  });

  test("by the names that the runtime is started with", async () => {
    expect(
      await probe(`
      const names = []; for (let o = globalThis; o !== null; o = Object.getPrototypeOf(o)) names.push(...Reflect.ownKeys(o).map(String));
      return names.filter((name) => /^__(?!proto|define|lookup)|op_|bulkhead|ivm|isolate|deliver|entry$|^(?:callback|reference)$/i.test(name) && name !== "fromEntries");`),
    ).toEqual([]);
  });

  test("by walking everything that can be reached", async () => {
    const found = await probe(`
      const suspects = []; const seen = new Set(); const queue = [[globalThis, "globalThis"], [async function () {}, "async"], [function* () {}, "generator"], [new Error("x"), "error"]];
      const HOST = ["applySync", "applyIgnored", "applySyncPromise", "derefInto", "copySync", "createContext", "createContextSync", "compileScript", "cpuTime", "getHeapStatistics", "evalClosure", "binding", "mainModule", "dlopen", "_linkedBinding", "execve"];
      for (let at = 0; at < queue.length && at < 200000; at++) {
        const [value, path] = queue[at];
        let keys; try { keys = Reflect.ownKeys(value); } catch { suspects.push(path + " refuses"); continue; }
        for (const key of keys) {
          if (typeof key === "string" && HOST.includes(key)) suspects.push(path + "." + key);
          let descriptor; try { descriptor = Reflect.getOwnPropertyDescriptor(value, key); } catch { continue; }
          for (const part of [descriptor.value, descriptor.get, descriptor.set]) {
            if ((typeof part !== "object" || part === null) && typeof part !== "function") continue;
            if (!seen.has(part)) { seen.add(part); queue.push([part, path + "." + String(key)]); }
          }
        }
        const proto = Object.getPrototypeOf(value);
        if (proto !== null && !seen.has(proto)) { seen.add(proto); queue.push([proto, path + ".[[Prototype]]"]); }
      }
      return [suspects, queue.length > 500];`);
    expect(found).toEqual([[], true]);
  });

  test("every function in reach is of the guest's own realm", async () => {
    expect(
      await probe(`
      const foreign = []; const seen = new Set(); const queue = [[globalThis, ""]];
      for (let at = 0; at < queue.length; at++) {
        const [value, path] = queue[at];
        if (typeof value === "function") {
          let root = value; for (let next; (next = Object.getPrototypeOf(root)) !== null; ) root = next;
          if (root !== Object.prototype) foreign.push(path);
        }
        for (const key of Reflect.ownKeys(value)) {
          const descriptor = Reflect.getOwnPropertyDescriptor(value, key);
          for (const part of [descriptor.value, descriptor.get, descriptor.set, Object.getPrototypeOf(value)]) {
            if ((typeof part === "object" && part !== null) || typeof part === "function") if (!seen.has(part)) { seen.add(part); queue.push([part, path + "." + String(key)]); }
          }
        }
      }
      return foreign;`),
    ).toEqual([]);
  });

  test.each([
    [
      "the constructor's constructor",
      `return (0, (() => {}).constructor)("return typeof process + typeof require")();`,
    ],
    [
      "constructors of what the host gave",
      `return [fetch, console.log, setTimeout, crypto.getRandomValues, input.constructor, new Error().constructor, Deno.env.get].map((f) => (f.constructor === Function ? f.constructor : f.constructor.constructor)("return typeof process")()).join("");`,
      "undefined".repeat(7),
    ],
    [
      "a constructor of async functions",
      `return (async () => {}).constructor("return typeof process")();`,
    ],
    [
      "the sloppy this",
      `return (0, eval)("(function () { return typeof this.process + typeof this.require; })()");`,
    ],
    [
      "caller and callee",
      `const f = (0, eval)("(function () { try { return typeof f.caller + typeof arguments.callee.caller; } catch (error) { return ''; } })"); return f().includes("object") ? "escaped" : "";`,
      "",
    ],
    [
      "an error from the host",
      `const errors = []; for (const go of [() => new URL("no"), () => atob("*"), () => new TextDecoder("no"), () => structuredClone(() => {}), () => crypto.getRandomValues(new Float32Array(1)), () => setTimeout(), () => new Headers([["a b", "c"]])]) try { go(); } catch (error) { errors.push(error); }
      for (const promise of [fetch("http://127.0.0.1/"), crypto.subtle.digest("no", new Uint8Array(1)), crypto.subtle.importKey("raw", new Uint8Array(1), "AES-GCM", false, ["encrypt"]), new Response("{").json()].map((promise) => promise.then(() => null, (error) => error))) errors.push(await promise);
      return errors.map((error) => error instanceof Error && error.constructor.constructor === Function && error.constructor.constructor("return typeof process")()).filter((it) => it !== "undefined").join();`,
      "",
    ],
    [
      "an import of the host's modules",
      `return import("node:fs").then(() => "escaped", (error) => (error.constructor.constructor("return typeof process")() === "undefined" ? "" : "escaped"));`,
      "",
    ],
    [
      "an import from a string of code",
      `return (0, eval)("import('node:child_process')").then(() => "escaped", () => "");`,
      "",
    ],
    [
      "an import from a function made of text",
      `return new Function("return import('fs')")().then(() => "escaped", () => "");`,
      "",
    ],
  ])("by %s", async (_way, body, gives = "undefinedundefined".slice(0, 18)) => {
    const found = await probe(body, { input: {} });
    expect(found === "undefined" ? "undefinedundefined" : found).toBe(gives);
  });

  test("by a stack's frames", async () => {
    expect(
      await probe(`
      const frames = []; Error.prepareStackTrace = (_, sites) => { frames.push(...sites); return ""; };
      const look = () => { new Error("x").stack; return 1; };
      look(); console.log({ get a() { return look(); } }); [1].map(look); JSON.stringify({ toJSON: look }); await new Promise((done) => setTimeout(() => { look(); done(); })); queueMicrotask(look); await null;
      new Headers([[{ toString() { look(); return "a"; } }, "b"]]); new URL({ toString() { look(); return "http://a/"; } });
      Error.prepareStackTrace = undefined;
      const bad = [];
      for (const site of frames) {
        for (const get of ["getThis", "getFunction"]) { let it; try { it = site[get](); } catch { continue; } if ((typeof it === "object" && it !== null) || typeof it === "function") { let root = it; for (let next; (next = Object.getPrototypeOf(root)) !== null; ) root = next; if (root !== Object.prototype) bad.push(get); } }
        const file = String(site.getFileName() ?? ""); if (/node:|node_modules|\\/(?:work|root|home|tmp|opt|app)\\//.test(file)) bad.push(file);
      }
      return [bad, frames.length > 5];`),
    ).toEqual([[], true]);
  });

  test("by a receiver that the host's functions did not expect", async () => {
    expect(
      await probe(`
      const odd = [undefined, null, 1, "x", {}, [], () => {}, new Proxy({}, {}), globalThis, Object.create(null), Symbol("s")]; const bad = [];
      const all = []; for (const name of Object.getOwnPropertyNames(globalThis)) { let it; try { it = globalThis[name]; } catch { continue; } if (typeof it === "function" && !["eval", "Function", "setTimeout", "setInterval", "Array", "reportError"].includes(name)) all.push([name, it]); }
      for (const [name, f] of all) for (const receiver of odd) for (const args of [[], [receiver], [receiver, receiver, receiver]]) {
        try { const result = f.apply(receiver, args); if (typeof result?.catch === "function") result.catch(() => {}); } catch (error) { if (!(error instanceof Error) || /isolated|ivm|node:|assert/i.test(String(error.stack))) bad.push(name + ": " + String(error.stack).slice(0, 200)); }
      }
      return [...new Set(bad)];`),
    ).toEqual([]);
  });
});

describe("the program is a module, and cannot end it early", () => {
  test.each([
    ["})(); globalThis.leaked = 1; (() => {"],
    ["}; leaked = 1; {"],
    ["export default 1; }"],
    ["*/ leaked = 1; /*"],
    ["export default () => 1; </script>"],
    ["//# sourceMappingURL=data:application/json;base64,e30=\n}"],
    ["return 1;"],
    ["with ({}) {}"],
    ["\u2028}\u2029"],
  ])("%j is a syntax error", async (code) => {
    for (const language of ["javascript", "typescript"] as const) {
      expect(await run({ language, code })).toMatchObject({
        outcome: "failed",
        started: false,
        error: { name: "SyntaxError" },
      });
    }
  });

  test.each([
    ["a byte order mark", "\ufeffexport default 1;"],
    ["line separators", "const a = '\u2028';\u2029export default 1;"],
    ["a NUL in a text", "const a = '\0'; export default 1;"],
    ["a hashbang", "#!/usr/bin/env node\nexport default 1;"],
    ["a directive", "'use strict'; export default 1;"],
    [
      "a source map that is none",
      "export default 1;\n//# sourceMappingURL=data:application/json;base64,!!!",
    ],
    [
      "a source map that leads elsewhere",
      "export default 1;\n//# sourceMappingURL=file:///etc/passwd",
    ],
    ["a source name of its own", "export default 1;\n//# sourceURL=node:internal/process"],
  ])("%s is nothing special", async (_name, code) => {
    expect(value(await run({ language: "javascript", code }))).toBe(1);
  });
});

describe("an odd specifier leads nowhere", () => {
  test.each([
    "file:///etc/passwd",
    "/etc/passwd",
    "../../../../etc/passwd",
    "./../../proc/self/environ",
    "data:text/javascript,export default 1",
    "blob:x",
    "http://127.0.0.1/x.js",
    "https://example.com/x.js",
    "javascript:1",
    "node:fs",
    "node:../x",
    "fs",
    "",
    ".",
    "..",
    "./",
    "./\0",
    "./main.ts\0.js",
    "./%2e%2e/main",
    "./main.ts?x",
    "./main.ts#x",
    "constructor",
    "./constructor",
    "./__proto__",
    "./toString",
    "__proto__",
    "./hasOwnProperty.ts",
    "#internal",
    "isolated-vm",
    "bulkhead:runtime",
    "\\\\server\\share",
    "C:\\x",
    "./ä\ud800.ts",
    "./" + "a".repeat(10_000),
  ])("%j", async (specifier) => {
    const line = await answer({
      language: "javascript",
      code: `import * as it from ${JSON.stringify(specifier)}; export default Object.keys(it);`,
    });
    const foreign = "unlinkable" in line;
    const failed = "end" in line && line.end.outcome === "failed" && !line.end.started;
    expect({ foreign, failed }).toEqual({ foreign: !failed, failed: !foreign });
  });

  test.each([
    "__proto__",
    "constructor",
    "toString",
    "a\nb.ts",
    "a\0b.ts",
    "../up.ts",
    "/abs.ts",
    "ü/日本.ts",
    " .ts",
    "a b.ts",
    "%2e%2e.ts",
    "a#b.ts",
    "a?b.ts",
  ])("and a module named %j harms nobody", async (name) => {
    const modules = JSON.parse(`{${JSON.stringify(name)}: "export default 1;"}`) as Record<
      string,
      string
    >;
    expect(value(await run({ code: "export default 2;", modules }))).toBe(2);
  });
});

describe("what a program does to its realm changes only what it sees itself", () => {
  test("polluted prototypes and patched built-ins do not bend the result", async () => {
    const result = await run({
      language: "javascript",
      code: `
        const evil = () => { throw new Error("evil"); };
        Object.prototype.toJSON = () => "evil"; Array.prototype.toJSON = () => "evil"; String.prototype.toJSON = () => "evil"; BigInt.prototype.toJSON = () => "evil";
        Object.prototype.$type = "evil"; Object.prototype.value = "evil"; Object.prototype.then = undefined; Object.prototype.get = undefined;
        JSON.stringify = JSON.parse = Object.keys = Object.entries = Reflect.ownKeys = Array.isArray = evil; Reflect.apply = evil; Object.getPrototypeOf = evil; Object.getOwnPropertyDescriptor = evil;
        for (const name of ["call", "apply", "bind", "toString"]) Function.prototype[name] = evil;
        for (const name of ["push", "join", "map", "forEach", "slice", "concat", "indexOf", "includes"]) Array.prototype[name] = evil;
        for (const name of ["get", "set", "has", "forEach", "entries"]) Map.prototype[name] = evil;
        for (const name of ["charCodeAt", "slice", "replace", "replaceAll", "split", "indexOf", "includes"]) String.prototype[name] = evil;
        for (const name of ["exec", "test"]) RegExp.prototype[name] = evil; RegExp.prototype[Symbol.replace] = evil;
        Array.prototype[Symbol.iterator] = evil; Map.prototype[Symbol.iterator] = evil; BigInt.prototype.toString = evil; Number.prototype.toString = evil; Date.prototype.toISOString = evil; Symbol.prototype.toString = evil;
        globalThis.Map = globalThis.Set = globalThis.Uint8Array = globalThis.String = globalThis.Promise = globalThis.Error = globalThis.TypeError = evil;
        Object.defineProperty(Array.prototype, 0, { set: evil, get: evil, configurable: true }); Object.defineProperty(Object.prototype, "ended", { set: evil, configurable: true });
        const result = { a: [1, 'x"', { b: null }], c: 1n, d: new Date(5), m: new (new Function("return (class extends (Object.getPrototypeOf(new Intl.Locale('en')).constructor) {})") && Array)(0) };
        export default () => result;`,
    });
    // What it did to the language itself may stop its own code, but never forges a value.
    const wanted = { a: [1, 'x"', { b: null }], c: 1n, d: new Date(5), m: [] };
    expect([
      ["ok", wanted],
      ["failed", undefined],
    ]).toContainEqual([result.outcome, result.outcome === "ok" ? value(result) : undefined]);
  });

  test("a patched JSON and a toJSON on every prototype forge no plain result", async () => {
    const result = await run({
      language: "javascript",
      code: `
        Object.prototype.toJSON = Array.prototype.toJSON = () => ({ outcome: "forged" }); JSON.stringify = () => '"forged"'; Array.prototype.join = () => "forged"; String.prototype.replace = () => "forged"; Function.prototype.call = () => "forged"; Function.prototype.apply = () => "forged"; Reflect.apply = () => "forged"; Array.prototype[Symbol.iterator] = function* () { yield "forged"; };
        export default () => ({ a: [1, "x", { b: true }] });`,
    });
    expect(value(result)).toEqual({ a: [1, "x", { b: true }] });
  });

  test("what it prints cannot be taken for what the service says", async () => {
    const forged = JSON.stringify({ end: { outcome: "ok", valueJson: "1" } });
    const result = await run({
      language: "javascript",
      code: `console.log(${JSON.stringify(`\n${forged}\n`)}); console.log("\\u0000\\u0001\\u001b[2J\\r\\n"); throw new Error(${JSON.stringify(`\n${forged}\n`)});`,
    });
    expect(result.outcome).toBe("failed");
    expect(result.stdout).toContain(forged);
  });

  test("names of objects' own parts are plain names in env, headers and input", async () => {
    const env = JSON.parse(`{"__proto__": "p", "constructor": "c", "A": "a"}`) as Record<
      string,
      string
    >;
    expect(
      await probe(
        `return [Deno.env.get("__proto__") ?? "p", Deno.env.get("constructor"), Deno.env.get("toString"), Deno.env.get("A")];`,
        { env },
      ),
    ).toEqual(["p", "c", undefined, "a"]);
  });

  test("an input as deep as its text allows is read or refused, and the service goes on", async () => {
    const inputJson = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const result = await run({
      code: "export default (input) => { let n = 0; for (let a = input; a; a = a[0]) n++; return n; };",
      inputJson,
    });
    expect([
      ["ok", 200_000],
      ["failed", undefined],
    ]).toContainEqual([result.outcome, result.outcome === "ok" ? value(result) : undefined]);
  });
});
