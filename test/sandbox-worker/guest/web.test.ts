import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

/** Each is the body of an async function, and what it must return. */
const USES: Readonly<
  Record<string, readonly (readonly [does: string, body: string, gives: unknown])[]>
> = {
  URL: [
    [
      "resolves, prints and takes apart",
      `const url = new URL("../b?q#f", "https://u:p@exämple.com:81/x/a"); return [url.href, url.origin, url.host, url.username, url.password, url.port, url.pathname, url.search, url.hash, String(url), JSON.stringify({ url })];`,
      [
        "https://u:p@xn--exmple-cua.com:81/b?q#f",
        "https://xn--exmple-cua.com:81",
        "xn--exmple-cua.com:81",
        "u",
        "p",
        "81",
        "/b",
        "?q",
        "#f",
        "https://u:p@xn--exmple-cua.com:81/b?q#f",
        '{"url":"https://u:p@xn--exmple-cua.com:81/b?q#f"}',
      ],
    ],
    [
      "is changed by its setters",
      `const url = new URL("http://a"); Object.assign(url, { protocol: "https:", hostname: "b", port: "99999", pathname: "p q", search: "x=1", hash: "h", username: "me" }); url.port = 8080; url.host = "c:9"; return url.href;`,
      "https://me@c:9/p%20q?x=1#h",
    ],
    [
      "keeps its params and its search as one",
      `const url = new URL("http://a/?x=1"); const params = url.searchParams; params.append("y", "ä &"); const one = url.search; url.search = "?z=2"; const two = [...params]; url.href = "http://b/?w"; params.delete("w"); return [one, two, url.href, params === url.searchParams];`,
      ["?x=1&y=%C3%A4+%26", [["z", "2"]], "http://b/", true],
    ],
    [
      "says what it can parse",
      `return [URL.canParse("x"), URL.canParse("x", "http://a"), URL.parse("x"), URL.parse("http://a").href, (() => { try { new URL("x", ""); } catch (error) { return error instanceof TypeError; } })()];`,
      [false, true, null, "http://a/", true],
    ],
    [
      "lists its parts",
      `return Object.keys(URL.prototype).length > 10 && "searchParams" in new URL("http://a");`,
      true,
    ],
  ],
  URLSearchParams: [
    [
      "is made of text, pairs, objects and its like",
      `return [new URLSearchParams("?a=1&b=%20+&c"), new URLSearchParams([["a", 1]]), new URLSearchParams({ a: "ü" }), new URLSearchParams(new URLSearchParams("x=y")), new URLSearchParams(new Map([["k", "v"]]))].map(String);`,
      ["a=1&b=++&c=", "a=1", "a=%C3%BC", "x=y", "k=v"],
    ],
    [
      "reads, sets, deletes, sorts",
      `const p = new URLSearchParams("b=1&a=2&b=3"); const got = [p.get("b"), p.getAll("b"), p.has("a", "9"), p.size]; p.set("b", "x"); p.sort(); const sorted = p.toString(); p.delete("a", "2"); return [...got, sorted, [...p.keys()], [...p.values()]];`,
      ["1", ["1", "3"], false, 3, "a=2&b=x", ["b"], ["x"]],
    ],
    [
      "decodes what is malformed as it is",
      `return [...new URLSearchParams("a=%zz&%C3=%e4&=&&")];`,
      [
        ["a", "%zz"],
        ["\ufffd", "\ufffd"],
        ["", ""],
      ],
    ],
  ],
  URLPattern: [
    [
      "matches and names groups",
      `const p = new URLPattern({ pathname: "/u/:id(\\\\d+)/*" }); return [p.exec("https://a/u/5/x/y").pathname.groups, p.test("https://a/u/x/y"), new URLPattern("/a/:b?", "https://h").test("https://h/a")];`,
      [{ "0": "x/y", id: "5" }, false, true],
    ],
  ],
  Text: [
    [
      "encodes UTF-8, lone surrogates replaced",
      `return [[...new TextEncoder().encode("a¢€😀\\ud800")], new TextEncoder().encodeInto("€€", new Uint8Array(5)), [...new TextEncoder().encode()]];`,
      [
        [97, 194, 162, 226, 130, 172, 240, 159, 152, 128, 239, 191, 189],
        { read: 1, written: 3 },
        [],
      ],
    ],
    [
      "decodes UTF-8 as the standard says",
      `const d = (...b) => new TextDecoder().decode(new Uint8Array(b)); return [d(0xef, 0xbb, 0xbf, 97), d(0xc0, 0x80), d(0xed, 0xa0, 0x80), d(0xf0, 0x9f, 0x98), d(0xf4, 0x90, 0x80, 0x80), d(0xe2, 0x82, 0x28), new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf])).length, new TextDecoder().decode()];`,
      [
        "a",
        "\ufffd\ufffd",
        "\ufffd\ufffd\ufffd",
        "\ufffd",
        "\ufffd\ufffd\ufffd\ufffd",
        "\ufffd(",
        1,
        "",
      ],
    ],
    [
      "decodes in pieces",
      `const d = new TextDecoder(); let text = ""; for (const byte of new TextEncoder().encode("ä€😀")) text += d.decode(new Uint8Array([byte]), { stream: true }); return text + d.decode();`,
      "ä€😀",
    ],
    [
      "refuses what is malformed where it must",
      `const fatal = new TextDecoder("utf-8", { fatal: true }); const said = []; for (const bytes of [[255], [0xe2, 0x82]]) try { fatal.decode(new Uint8Array(bytes)); } catch (error) { said.push(error.name); } return [...said, fatal.decode(new Uint8Array([97]))];`,
      ["TypeError", "TypeError", "a"],
    ],
    [
      "knows other encodings",
      `const sjis = new TextDecoder("shift_jis"); const bytes = new Uint8Array([0x93, 0xfa, 0x96, 0x7b]); return [new TextDecoder("latin1").encoding, new TextDecoder("windows-1252").decode(new Uint8Array([0x80])), new TextDecoder("utf-16le").decode(new Uint8Array([97, 0])), sjis.decode(bytes.subarray(0, 1), { stream: true }) + sjis.decode(bytes.subarray(1)), (() => { try { new TextDecoder("none"); } catch (error) { return error.name; } })()];`,
      ["windows-1252", "€", "a", "日本", "RangeError"],
    ],
    [
      "a large text goes there and back",
      `const text = "aä€😀".repeat(50_000); return new TextDecoder().decode(new TextEncoder().encode(text)) === text;`,
      true,
    ],
    [
      "streams",
      `const read = async (stream) => (await Array.fromAsync(stream)).map((part) => typeof part === "string" ? part : [...part]);
      const texts = new ReadableStream({ start(c) { c.enqueue("a\\ud83d"); c.enqueue("\\ude00"); c.close(); } }).pipeThrough(new TextEncoderStream());
      const bytes = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([226, 130])); c.enqueue(new Uint8Array([172, 33])); c.close(); } }).pipeThrough(new TextDecoderStream());
      return [await read(texts), await read(bytes)];`,
      [[[97], [240, 159, 152, 128]], ["€!"]],
    ],
    [
      "atob and btoa",
      `const bad = (make) => { try { make(); } catch (error) { return error.name; } }; return [btoa("\\0ÿab"), atob(" AP9h\\nYg== "), atob("YQ"), atob(""), bad(() => btoa("€")), bad(() => atob("a")), bad(() => atob("a=a=")), [..."\\0".repeat(40)].every((c, i, all) => atob(btoa(all.slice(0, i).join(""))).length === i)];`,
      [
        "AP9hYg==",
        "\0ÿab",
        "a",
        "",
        "InvalidCharacterError",
        "InvalidCharacterError",
        "InvalidCharacterError",
        true,
      ],
    ],
  ],
  Events: [
    [
      "listeners are called in order, once, by objects and by signals",
      `const seen = []; const target = new EventTarget(); const c = new AbortController();
      target.addEventListener("x", (e) => seen.push(["a", e.type, e.target === target, e.currentTarget === target, e.eventPhase])); target.addEventListener("x", { handleEvent() { seen.push(["b", this !== undefined]); } });
      target.addEventListener("x", () => seen.push("once"), { once: true }); target.addEventListener("x", () => seen.push("signal"), { signal: c.signal }); const same = () => seen.push("same"); target.addEventListener("x", same); target.addEventListener("x", same); target.removeEventListener("x", same);
      target.dispatchEvent(new Event("x")); c.abort(); const event = new Event("x"); target.dispatchEvent(event); return [seen, event.target === target, event.currentTarget];`,
      [
        [
          ["a", "x", true, true, 2],
          ["b", true],
          "once",
          "signal",
          ["a", "x", true, true, 2],
          ["b", true],
        ],
        true,
        null,
      ],
    ],
    [
      "are stopped and cancelled",
      `const target = new EventTarget(); let n = 0; target.addEventListener("x", (e) => { n++; e.preventDefault(); e.stopImmediatePropagation(); }); target.addEventListener("x", () => n++); const plain = new Event("x"); return [target.dispatchEvent(new Event("x", { cancelable: true })), target.dispatchEvent(plain), plain.defaultPrevented, n];`,
      [false, true, false, 2],
    ],
    [
      "carry what their kind carries",
      `return [new CustomEvent("x", { detail: 5 }).detail, new MessageEvent("m", { data: [1] }).data, new ErrorEvent("e", { message: "m", lineno: 3, error: 4 }).lineno, new PromiseRejectionEvent("r", { promise: Promise.resolve(), reason: 7 }).reason, new Event("x") instanceof Event, new CustomEvent("y") instanceof Event];`,
      [5, [1], 3, 7, true, true],
    ],
    [
      "dispatch only what is an event, and not twice at once",
      `const target = new EventTarget(); const said = []; try { target.dispatchEvent({ type: "x" }); } catch (e) { said.push(e.name); } const event = new Event("x"); target.addEventListener("x", () => { try { target.dispatchEvent(event); } catch (e) { said.push(e.name); } }); target.dispatchEvent(event); return said;`,
      ["TypeError", "InvalidStateError"],
    ],
    [
      "the global object is a target",
      `let n = 0; const add = () => n++; addEventListener("x", add); dispatchEvent(new Event("x")); globalThis.removeEventListener("x", add); self.dispatchEvent(new Event("x")); return n;`,
      1,
    ],
    [
      "classes may extend EventTarget",
      `class Bus extends EventTarget { emit(x) { this.dispatchEvent(new CustomEvent("e", { detail: x })); } } const bus = new Bus(); let got; bus.addEventListener("e", (e) => (got = e.detail)); bus.emit(3); return got;`,
      3,
    ],
  ],
  Abort: [
    [
      "tells its signal, once, with a reason",
      `const c = new AbortController(); const seen = []; c.signal.onabort = (e) => seen.push(e.type); c.signal.addEventListener("abort", () => seen.push(c.signal.reason)); c.abort("why"); c.abort("again"); let thrown; try { c.signal.throwIfAborted(); } catch (e) { thrown = e; } return [seen, c.signal.aborted, thrown, AbortSignal.abort().reason.name, AbortSignal.abort().reason instanceof DOMException];`,
      [["abort", "why"], true, "why", "AbortError", true],
    ],
    [
      "by time",
      `const signal = AbortSignal.timeout(2); await new Promise((resolve) => signal.addEventListener("abort", resolve)); return signal.reason.name;`,
      "TimeoutError",
    ],
    [
      "by any of several",
      `const a = new AbortController(); const any = AbortSignal.any([a.signal, new AbortController().signal]); a.abort(1); return [any.aborted, any.reason, AbortSignal.any([AbortSignal.abort(2)]).reason, AbortSignal.any([]).aborted];`,
      [true, 1, 2, false],
    ],
    [
      "a signal is not made by hand",
      `try { new AbortSignal(); } catch (error) { return error.name; }`,
      "TypeError",
    ],
  ],
  Timers: [
    [
      "fire in order, with arguments",
      `const seen = []; await new Promise((done) => { setTimeout((...a) => { seen.push(a); done(); }, 6, 1, 2); setTimeout(() => seen.push("b"), 1); setTimeout(() => seen.push("a")); queueMicrotask(() => seen.push("micro")); }); return seen;`,
      ["micro", "a", "b", [1, 2]],
    ],
    [
      "are cleared, and repeat",
      `let n = 0; const gone = setTimeout(() => (n = 100), 1); clearTimeout(gone); clearTimeout(undefined); clearTimeout(12345); await new Promise((done) => { const id = setInterval(() => { if (++n === 3) { clearInterval(id); setTimeout(done, 5); } }, 1); }); return [n, typeof gone];`,
      [3, "number"],
    ],
    [
      "refuse what is no function",
      `try { setTimeout("code", 1); } catch (error) { return error.name; }`,
      "TypeError",
    ],
    [
      "the clock goes on",
      `const a = performance.now(); await new Promise((r) => setTimeout(r, 3)); const b = performance.now(); return [b - a >= 2, Math.abs(performance.timeOrigin + b - Date.now()) < 1000];`,
      [true, true],
    ],
  ],
  Streams: [
    [
      "read by readers and by loops, from lists",
      `const out = []; for await (const x of ReadableStream.from([1, 2])) out.push(x); const reader = new ReadableStream({ pull(c) { c.enqueue(3); c.close(); } }).getReader(); out.push(await reader.read(), await reader.read()); return out;`,
      [1, 2, { done: false, value: 3 }, { done: true, value: undefined }],
    ],
    [
      "pipe, transform, tee",
      `const out = []; const upper = new TransformStream({ transform(x, c) { c.enqueue(x.toUpperCase()); } }); const [a, b] = ReadableStream.from(["x", "y"]).pipeThrough(upper).tee(); await a.pipeTo(new WritableStream({ write(x) { out.push(x); } })); return [out, await Array.fromAsync(b)];`,
      [
        ["X", "Y"],
        ["X", "Y"],
      ],
    ],
    [
      "fill a reader's own buffer",
      `const stream = new ReadableStream({ type: "bytes", pull(c) { c.enqueue(new Uint8Array([1, 2, 3])); c.close(); } }); const reader = stream.getReader({ mode: "byob" }); const { value } = await reader.read(new Uint8Array(2)); return [...value];`,
      [1, 2],
    ],
    [
      "count by their strategies",
      `return [new CountQueuingStrategy({ highWaterMark: 3 }).size(), new ByteLengthQueuingStrategy({ highWaterMark: 1 }).size(new Uint8Array(5)), new ReadableStream({}, new CountQueuingStrategy({ highWaterMark: 4 })).locked];`,
      [1, 5, false],
    ],
    [
      "are aborted by signals",
      `const c = new AbortController(); const piping = new ReadableStream().pipeTo(new WritableStream(), { signal: c.signal }).catch((e) => e.name); c.abort(); return await piping;`,
      "AbortError",
    ],
    [
      "compress and decompress",
      `const text = "abc".repeat(1000); const through = async (stream, by) => new Uint8Array(await new Response(stream.pipeThrough(by)).arrayBuffer());
      const out = []; for (const format of ["gzip", "deflate", "deflate-raw"]) { const packed = await through(new Blob([text]).stream(), new CompressionStream(format)); const back = await through(new Blob([packed]).stream(), new DecompressionStream(format)); out.push([packed.length < 100, new TextDecoder().decode(back) === text]); }
      const bad = await through(new Blob(["garbage!"]).stream(), new DecompressionStream("gzip")).catch((e) => e.name); const cut = await through(new Blob([new Uint8Array([31, 139, 8, 0, 0])]).stream(), new DecompressionStream("gzip")).catch((e) => e.name); let unknown; try { new CompressionStream("zip"); } catch (e) { unknown = e.name; } return [...out, bad, cut, unknown];`,
      [[true, true], [true, true], [true, true], "TypeError", "TypeError", "TypeError"],
    ],
  ],
  Blob: [
    [
      "joins, slices, reads, streams",
      `const blob = new Blob(["a", new Uint8Array([98]), new Blob(["c"]), new Uint8Array([100, 101]).buffer], { type: "Text/Plain" }); return [blob.size, blob.type, await blob.text(), await blob.slice(1, -1).text(), [...await blob.bytes()], await new Response(blob.stream()).text(), new File([blob], "n", { lastModified: 5 }).lastModified, new File(["x"], "n") instanceof Blob];`,
      [5, "text/plain", "abcde", "bcd", [97, 98, 99, 100, 101], "abcde", 5, true],
    ],
  ],
  structuredClone: [
    [
      "copies what has a copy",
      `const a = { d: new Date(5), m: new Map([[{ k: 1 }, new Set([1])]]), r: /x/gi, b: new Uint8Array([1, 2]).subarray(1), e: new RangeError("m", { cause: 1 }), n: new Number(5), big: 5n, u: undefined, list: [, 1] }; a.self = a; a.list.push(a.m);
      const c = structuredClone(a); return [c !== a, c.self === c, c.d.getTime(), [...c.m.keys()], c.list[2] === c.m, String(c.r), [...c.b], c.b.byteOffset, c.e instanceof RangeError, c.e.message, c.e.cause, c.n.valueOf(), c.big, "u" in c, 0 in c.list, structuredClone(new (class A { x = 1; })()).constructor === Object];`,
      [true, true, 5, [{ k: 1 }], true, "/x/gi", [2], 1, true, "m", 1, 5, 5n, true, false, true],
    ],
    [
      "moves buffers",
      `const buffer = new Uint8Array([1, 2]).buffer; const copy = structuredClone({ buffer }, { transfer: [buffer] }); return [copy.buffer.byteLength, buffer.detached];`,
      [2, true],
    ],
    [
      "refuses what has none",
      `return [() => structuredClone(() => {}), () => structuredClone(Symbol()), () => structuredClone({ a: new WeakMap() }), () => structuredClone(Promise.resolve()), () => structuredClone(new MessageChannel().port1)].map((f) => { try { f(); } catch (e) { return e.name + " " + e.code; } });`,
      Array.from({ length: 5 }, () => "DataCloneError 25"),
    ],
  ],
  MessageChannel: [
    [
      "carries copies, in order, later",
      `const { port1, port2 } = new MessageChannel(); const seen = []; const all = new Promise((done) => (port2.onmessage = (e) => { seen.push(e.data); if (seen.length === 2) done(); })); const message = { a: 1 }; port1.postMessage(message); message.a = 2; port1.postMessage([message]); seen.push("first"); await all; port1.close(); port2.postMessage("lost"); return seen;`,
      ["first", { a: 1 }],
    ],
  ],
  navigator: [
    [
      "says what runs here",
      `return [navigator.userAgent, navigator instanceof Navigator, navigator.hardwareConcurrency];`,
      ["Bulkhead", true, 1],
    ],
  ],
  DOMException: [
    [
      "is an error with a name and a code",
      `const e = new DOMException("m", "AbortError"); return [e.name, e.message, e.code, e instanceof Error, DOMException.ABORT_ERR, Object.prototype.toString.call(e), e.stack.split("\\n")[0], new DOMException("m", { name: "X", cause: 5 }).cause];`,
      ["AbortError", "m", 20, true, 20, "[object DOMException]", "AbortError: m", 5],
    ],
  ],
};

describe.each(Object.entries(USES))("%s", (_name, uses) => {
  test.each(uses)("%s", async (_does, body, gives) => {
    expect(await guest.returned(body)).toEqual(gives);
  });
});
