import { describe, expect, test } from "vitest";

import { programs } from "./program.ts";

const { run, value } = programs();

/** Each is the body of the program's function; what it returns must be what it says. */
const USES: Readonly<
  Record<string, readonly (readonly [uses: string, body: string, gives: unknown])[]>
> = {
  URL: [
    [
      "parses, resolves and prints",
      `const url = new URL("../b?q=1#f", "https://user:pass@exämple.com:8080/x/a");
       return [url.href, url.host, url.username, url.port, url.search, url.hash, url.origin, String(url) === url.toJSON()];`,
      [
        "https://user:pass@xn--exmple-cua.com:8080/b?q=1#f",
        "xn--exmple-cua.com:8080",
        "user",
        "8080",
        "?q=1",
        "#f",
        "https://xn--exmple-cua.com:8080",
        true,
      ],
    ],
    [
      "is changed by its setters, and says what it can parse",
      `const url = new URL("http://a.example/"); url.pathname = "/ü b"; url.port = "81"; url.protocol = "https"; url.hostname = "b.example"; url.hash = "x";
       let thrown; try { new URL("no"); } catch (error) { thrown = error.name; }
       return [url.href, URL.canParse("/a", "http://b"), URL.canParse("a"), URL.parse("x:y")?.protocol, URL.parse("no"), thrown];`,
      ["https://b.example:81/%C3%BC%20b#x", true, false, "x:", null, "TypeError"],
    ],
    [
      "shares its search with its searchParams",
      `const url = new URL("http://a/?b=2&a=1&b=3"); url.searchParams.append("c", "ü &"); url.searchParams.sort(); url.searchParams.delete("b", "3");
       const href = url.href; url.search = "?x=y"; return [href, url.searchParams.get("x")];`,
      ["http://a/?a=1&b=2&c=%C3%BC+%26", "y"],
    ],
    [
      "URLSearchParams is made of text, pairs and records, and iterated",
      `return [new URLSearchParams("?a=1&a=2").getAll("a"), [...new URLSearchParams([["k", "v"]])], new URLSearchParams({ x: "1 2" }).toString(), new URLSearchParams("a=b").has("a", "c"), new URLSearchParams("a&b").size];`,
      [["1", "2"], [["k", "v"]], "x=1+2", false, 2],
    ],
    [
      "URLPattern matches and names groups",
      `const pattern = new URLPattern({ pathname: "/users/:id/*" });
       const match = pattern.exec("https://a.example/users/7/posts/1");
       return [match.pathname.groups, pattern.test("https://a.example/users")];`,
      [{ id: "7", "0": "posts/1" }, false],
    ],
  ],
  encoding: [
    [
      "TextEncoder and TextDecoder go through UTF-8",
      `const bytes = new TextEncoder().encode("aü€😀"); const into = new Uint8Array(4);
       return [[...bytes], new TextDecoder().decode(bytes), new TextEncoder().encodeInto("aü€", into), new TextDecoder().decode(new Uint8Array([0xff, 65]))];`,
      [
        [97, 195, 188, 226, 130, 172, 240, 159, 152, 128],
        "aü€😀",
        { read: 2, written: 3 },
        "\ufffdA",
      ],
    ],
    [
      "TextDecoder streams, refuses when fatal, keeps or drops the mark",
      `const decoder = new TextDecoder(); const euro = new TextEncoder().encode("€");
       const streamed = decoder.decode(euro.subarray(0, 1), { stream: true }) + decoder.decode(euro.subarray(1));
       let thrown; try { new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { thrown = error.name; }
       const marked = new Uint8Array([0xef, 0xbb, 0xbf, 65]);
       return [streamed, thrown, new TextDecoder().decode(marked), new TextDecoder("utf-8", { ignoreBOM: true }).decode(marked).length];`,
      ["€", "TypeError", "A", 2],
    ],
    [
      "TextDecoder knows other encodings by their labels",
      `return [new TextDecoder("latin1").encoding, new TextDecoder("windows-1252").decode(new Uint8Array([0x80, 0xfc])), new TextDecoder("utf-16le").decode(new Uint8Array([0x3d, 0xd8, 0x00, 0xde])), new TextDecoder("shift_jis").decode(new Uint8Array([0x93, 0xfa]))];`,
      ["windows-1252", "€ü", "😀", "日"],
    ],
    [
      "TextEncoderStream and TextDecoderStream are pipes",
      `const chunks = []; for await (const chunk of ReadableStream.from(["a", "ü"]).pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream())) chunks.push(chunk); return chunks.join("");`,
      "aü",
    ],
    [
      "atob and btoa go through base64 and refuse what is none",
      `const refused = [() => btoa("€"), () => atob("a"), () => atob("*")].map((go) => { try { go(); } catch (error) { return error.name; } });
       return [btoa("a\\xff"), atob(" YQ== "), ...refused];`,
      ["Yf8=", "a", "InvalidCharacterError", "InvalidCharacterError", "InvalidCharacterError"],
    ],
  ],
  "HTTP messages": [
    [
      "Headers join, sort, keep cookies apart and refuse what is malformed",
      `const headers = new Headers([["X-B", "1"], ["a", "2"]]); headers.append("x-b", " 3 "); headers.append("Set-Cookie", "a=1"); headers.append("set-cookie", "b=2");
       let thrown; try { headers.set("a b", "c"); } catch (error) { thrown = error.name; }
       return [[...headers], headers.getSetCookie(), headers.has("A"), headers.get("none"), thrown];`,
      [
        [
          ["a", "2"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["x-b", "1, 3"],
        ],
        ["a=1", "b=2"],
        true,
        null,
        "TypeError",
      ],
    ],
    [
      "Request is made, cloned and read once",
      `const request = new Request("https://a.example/x", { method: "post", body: JSON.stringify({ a: 1 }), headers: { "content-type": "application/json" } });
       const copy = request.clone(); const read = await request.json(); let thrown; try { await request.text(); } catch (error) { thrown = error.name; }
       return [request.method, request.url, read, request.bodyUsed, thrown, await copy.text(), new Request(copy.url, { headers: copy.headers }).headers.get("content-type")];`,
      ["POST", "https://a.example/x", { a: 1 }, true, "TypeError", '{"a":1}', "application/json"],
    ],
    [
      "Response has its statics, its body as text, JSON, bytes and stream",
      `const made = Response.json([1], { status: 201 }); const moved = Response.redirect("https://a.example/", 307);
       const streamed = new Response(new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode("st")); controller.enqueue(new TextEncoder().encode("ream")); controller.close(); } }));
       return [made.status, made.ok, made.headers.get("content-type"), await made.json(), moved.headers.get("location"), Response.error().type, await streamed.text(), [...new Uint8Array(await new Response("ab").arrayBuffer())], new Response(null).body];`,
      [201, true, "application/json", [1], "https://a.example/", "error", "stream", [97, 98], null],
    ],
    [
      "FormData goes through multipart and url-encoded bodies",
      `const form = new FormData(); form.append("a", "1"); form.append("f", new File(["text"], "ü.txt", { type: "text/plain" }));
       const back = await new Response(form).formData(); const file = back.get("f");
       const urlencoded = await new Request("http://a/", { method: "POST", body: new URLSearchParams({ x: "1 2" }) }).formData();
       return [back.get("a"), file.name, file.type, await file.text(), urlencoded.get("x"), [...form.keys()]];`,
      ["1", "ü.txt", "text/plain", "text", "1 2", ["a", "f"]],
    ],
    [
      "Blob and File are sliced, read and streamed",
      `const blob = new Blob(["ab", new Uint8Array([99]), new Blob(["d"])], { type: "Text/Plain" }); let streamed = 0; for await (const chunk of blob.stream()) streamed += chunk.length;
       const file = new File([blob], "n", { lastModified: 5 });
       return [blob.size, blob.type, await blob.slice(1, -1).text(), (await blob.arrayBuffer()).byteLength, streamed, file.name, file.lastModified, file instanceof Blob];`,
      [4, "text/plain", "bc", 4, 4, "n", 5, true],
    ],
  ],
  events: [
    [
      "AbortController aborts its signal, once, with its reason",
      `const controller = new AbortController(); let heard = 0; controller.signal.addEventListener("abort", () => heard++); controller.abort(); controller.abort();
       let thrown; try { controller.signal.throwIfAborted(); } catch (error) { thrown = error.name; }
       const own = AbortSignal.abort("mine"); const any = AbortSignal.any([new AbortController().signal, own]);
       return [heard, controller.signal.aborted, thrown, any.reason];`,
      [1, true, "AbortError", "mine"],
    ],
    [
      "AbortSignal.timeout ends a wait",
      `return new Promise((resolve) => { const signal = AbortSignal.timeout(5); signal.onabort = () => resolve([signal.aborted, signal.reason.name]); });`,
      [true, "TimeoutError"],
    ],
    [
      "EventTarget dispatches to listeners, objects and once, and can be stopped",
      `const log = []; const target = new EventTarget(); const stop = new AbortController();
       target.addEventListener("x", (event) => { log.push(event.detail, event.type); event.preventDefault(); }, { once: true });
       target.addEventListener("x", { handleEvent() { log.push("object"); } }); target.addEventListener("x", () => log.push("never"), { signal: stop.signal }); stop.abort();
       const first = target.dispatchEvent(new CustomEvent("x", { detail: 1, cancelable: true })); target.dispatchEvent(new Event("x"));
       return [log, first];`,
      [[1, "x", "object", "object"], false],
    ],
    [
      "DOMException has its code, and is an Error",
      `const error = new DOMException("m", "NotFoundError"); return [error.name, error.code, error.message, error instanceof Error, DOMException.ABORT_ERR];`,
      ["NotFoundError", 8, "m", true, 20],
    ],
    [
      "MessageChannel carries clones",
      `const { port1, port2 } = new MessageChannel(); return new Promise((resolve) => { port2.onmessage = ({ data }) => { port1.close(); resolve(data); }; port1.postMessage({ a: [1n] }); });`,
      { a: [1n] },
    ],
  ],
  streams: [
    [
      "pipe through transforms and into a sink, with back-pressure",
      `const seen = []; let pulled = 0;
       const source = new ReadableStream({ pull(controller) { if (pulled === 3) controller.close(); else controller.enqueue(++pulled); } }, { highWaterMark: 0 });
       await source.pipeThrough(new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk * 2); } })).pipeTo(new WritableStream({ write(chunk) { seen.push(chunk); } }));
       return seen;`,
      [2, 4, 6],
    ],
    [
      "tee, iterate and cancel",
      `const [a, b] = ReadableStream.from([1, 2, 3]).tee(); const left = []; for await (const chunk of a) left.push(chunk); const reader = b.getReader(); const first = await reader.read(); await reader.cancel("enough");
       return [left, first, await reader.closed.then(() => "closed")];`,
      [[1, 2, 3], { value: 1, done: false }, "closed"],
    ],
    [
      "read bytes into the reader's own buffer",
      `const stream = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(new Uint8Array([1, 2, 3])); controller.close(); } });
       const { value } = await stream.getReader({ mode: "byob" }).read(new Uint8Array(2)); return [...value];`,
      [1, 2],
    ],
    [
      "CompressionStream and DecompressionStream undo each other",
      `const squeeze = async (stream, format) => new Uint8Array(await new Response(stream.pipeThrough(format)).arrayBuffer()); const out = [];
       for (const format of ["gzip", "deflate", "deflate-raw"]) {
         const small = await squeeze(new Blob(["a".repeat(10000)]).stream(), new CompressionStream(format));
         const back = await squeeze(new Blob([small]).stream(), new DecompressionStream(format)); out.push(small.length < 200, back.length);
       } return out;`,
      [true, 10_000, true, 10_000, true, 10_000],
    ],
  ],
  "structured clones": [
    [
      "copy maps, sets, dates, cycles, errors and buffers",
      `const a = { m: new Map([[1, new Set([2])]]), d: new Date(0), r: /x/gi, e: new RangeError("e"), u: new Uint16Array([1, 2]), n: undefined, b: 1n }; a.self = a;
       const c = structuredClone(a); return [c !== a, c.self === c, c.m.get(1).has(2), c.d.getTime(), c.r.flags, c.e.name, [...c.u], "n" in c, c.b];`,
      [true, true, true, 0, "gi", "RangeError", [1, 2], true, 1n],
    ],
    [
      "move what is transferred, and refuse functions",
      `const buffer = new ArrayBuffer(8); const moved = structuredClone(buffer, { transfer: [buffer] }); let thrown; try { structuredClone(() => {}); } catch (error) { thrown = error.name; }
       return [buffer.byteLength, moved.byteLength, thrown];`,
      [0, 8, "DataCloneError"],
    ],
  ],
  timers: [
    [
      "run in order of time, then of start, with their arguments",
      `const log = []; setTimeout((...args) => log.push(...args), 20, "b", "c"); setTimeout(() => log.push("a"), 1); setTimeout(() => log.push("a2"), 1); const never = setTimeout(() => log.push("never"), 1); clearTimeout(never);
       await new Promise((done) => setTimeout(done, 40)); return log;`,
      ["a", "a2", "b", "c"],
    ],
    [
      "repeat until they are cleared",
      `let n = 0; return new Promise((resolve) => { const id = setInterval(() => { if (++n === 3) { clearInterval(id); setTimeout(() => resolve(n), 10); } }, 1); });`,
      3,
    ],
    [
      "come after microtasks, and those in their order",
      `const log = []; setTimeout(() => log.push("timer")); queueMicrotask(() => log.push("micro")); Promise.resolve().then(() => log.push("promise")); log.push("sync");
       await new Promise((done) => setTimeout(done, 5)); return log;`,
      ["sync", "micro", "promise", "timer"],
    ],
    [
      "performance.now goes forward from the run's start",
      `const a = performance.now(); await new Promise((done) => setTimeout(done, 5)); const b = performance.now(); return [a >= 0, b - a >= 4, Math.abs(performance.timeOrigin + b - Date.now()) < 60000];`,
      [true, true, true],
    ],
  ],
  crypto: [
    [
      "gives random values and UUIDs",
      `const bytes = crypto.getRandomValues(new Uint8Array(32)); let thrown; try { crypto.getRandomValues(new Uint8Array(65537)); } catch (error) { thrown = error.name; }
       return [new Set(bytes).size > 8, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), crypto.randomUUID() !== crypto.randomUUID(), thrown];`,
      [true, true, true, "QuotaExceededError"],
    ],
    [
      "digests",
      `const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join(""); const data = new TextEncoder().encode("abc");
       return [hex(await crypto.subtle.digest("SHA-256", data)), hex(await crypto.subtle.digest({ name: "SHA-1" }, data.buffer))];`,
      [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
      ],
    ],
    [
      "signs and verifies with HMAC and ECDSA",
      `const data = new TextEncoder().encode("data");
       const hmac = await crypto.subtle.importKey("raw", new TextEncoder().encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
       const mac = await crypto.subtle.sign("HMAC", hmac, data);
       const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]); const algorithm = { name: "ECDSA", hash: "SHA-256" };
       const signature = await crypto.subtle.sign(algorithm, pair.privateKey, data); const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
       const again = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
       return [mac.byteLength, await crypto.subtle.verify("HMAC", hmac, mac, data), await crypto.subtle.verify("HMAC", hmac, mac, new Uint8Array(1)), await crypto.subtle.verify(algorithm, again, signature, data), jwk.crv, hmac.extractable];`,
      [32, true, false, true, "P-256", false],
    ],
    [
      "encrypts and decrypts with AES-GCM, and refuses a changed text",
      `const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]); const iv = crypto.getRandomValues(new Uint8Array(12));
       const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode("secret")));
       const open = new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed)); sealed[0] ^= 1;
       const changed = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed).catch((error) => error.name);
       const kept = await crypto.subtle.exportKey("raw", key).catch((error) => error.name); return [sealed.length, open, changed, kept];`,
      [22, "secret", "OperationError", "InvalidAccessError"],
    ],
    [
      "derives with PBKDF2 and HKDF",
      `const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join(""); const text = (value) => new TextEncoder().encode(value);
       const password = await crypto.subtle.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]); const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: text("salt"), iterations: 1 }, password, 256);
       const secret = await crypto.subtle.importKey("raw", new Uint8Array(22).fill(11), "HKDF", false, ["deriveBits"]); const more = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: new Uint8Array() }, secret, 64);
       return [hex(bits), hex(more)];`,
      ["120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b", "8da4e775a563c18f"],
    ],
  ],
  Deno: [
    [
      "env has what was given and nothing of the host",
      `return [Deno.env.get("KEY"), Deno.env.get("PATH"), Deno.env.has("KEY"), Deno.env.toObject()];`,
      ["v", undefined, true, { KEY: "v" }],
    ],
    [
      "permissions are queried by host",
      `const state = async (host) => (await Deno.permissions.query({ name: "net", host })).state; return [await state("a.example"), await state("b.example"), (await Deno.permissions.query({ name: "read" })).state, (await Deno.permissions.query({ name: "net" })).state];`,
      ["granted", "denied", "denied", "denied"],
    ],
    [
      "version and navigator.userAgent say what runs",
      `return [typeof Deno.version.v8, typeof Deno.version.typescript, /Bulkhead/.test(navigator.userAgent)];`,
      ["string", "string", true],
    ],
    [
      "has nothing that reaches the machine",
      `return ["readFile", "readTextFile", "writeFile", "open", "Command", "run", "connect", "listen", "dlopen", "kill", "execPath", "cwd", "hostname"].filter((name) => { try { return typeof Deno[name] === "function" && Deno[name]("/etc/passwd") !== undefined; } catch { return false; } });`,
      [],
    ],
  ],
  "the global": [
    [
      "is globalThis and self, and keeps what is put on it",
      `globalThis.mine = 1; return [self === globalThis, mine, typeof window, Object.prototype.toString.call(globalThis)];`,
      [true, 1, "undefined", expect.stringMatching(/^\[object \w+\]$/)],
    ],
    [
      "hears of errors that nobody caught",
      `const heard = new Promise((resolve) => addEventListener("error", (event) => { event.preventDefault(); resolve(event.error.message); })); setTimeout(() => { throw new Error("late"); }, 1); return heard;`,
      "late",
    ],
    [
      "hears of rejections that nobody caught",
      `const heard = new Promise((resolve) => addEventListener("unhandledrejection", (event) => { event.preventDefault(); resolve(event.reason.message); })); Promise.reject(new Error("lost")); return heard;`,
      "lost",
    ],
    [
      "knows languages and time zones",
      `return [new Intl.NumberFormat("de-DE").format(1234.5), new Date(0).toISOString(), "a".localeCompare("b"), new Intl.DateTimeFormat("en-GB", { timeZone: "UTC" }).format(new Date(0))];`,
      ["1.234,5", "1970-01-01T00:00:00.000Z", -1, "01/01/1970"],
    ],
    [
      "has every name of the Minimum Common API that a guest may have",
      `return ["AbortController", "AbortSignal", "Blob", "ByteLengthQueuingStrategy", "CompressionStream", "CountQueuingStrategy", "Crypto", "CryptoKey", "CustomEvent", "DOMException", "DecompressionStream", "ErrorEvent", "Event", "EventTarget", "File", "FormData", "Headers", "MessageChannel", "MessageEvent", "MessagePort", "Performance", "PromiseRejectionEvent", "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "Request", "Response", "SubtleCrypto", "TextDecoder", "TextDecoderStream", "TextEncoder", "TextEncoderStream", "TransformStream", "TransformStreamDefaultController", "URL", "URLPattern", "URLSearchParams", "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter", "atob", "btoa", "clearInterval", "clearTimeout", "console", "crypto", "fetch", "navigator", "performance", "queueMicrotask", "reportError", "self", "setInterval", "setTimeout", "structuredClone"].filter((name) => !(name in globalThis));`,
      [],
    ],
  ],
};

describe.each(Object.entries(USES))("%s", (_family, uses) => {
  test.each(uses)("%s", async (_uses, body, gives) => {
    const result = await run({
      language: "javascript",
      code: `export default async () => {\n${body}\n};`,
      env: { KEY: "v" },
      net: ["a.example"],
    });
    expect(value(result)).toEqual(gives);
  });
});
