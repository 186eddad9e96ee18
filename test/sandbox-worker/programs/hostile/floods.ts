import { CONTAINED, ENDED, STOPPED, TIME, hostilePrograms } from "./hostile-program.ts";

/** Floods of calls to the host, of microtasks and of timers. */
export const FLOODS = hostilePrograms([
  [
    "console lines of ten kilobytes",
    "const line = 'x'.repeat(1e4); for (;;) console.log(line);",
    STOPPED,
  ],
  [
    "console lines of a hundred megabytes",
    "const line = 'x'.repeat(1e8); for (;;) console.log(line);",
    CONTAINED,
  ],
  ["empty console lines", "for (;;) console.error();", STOPPED],
  ["timers", "for (;;) setTimeout(() => {}, 0);", CONTAINED],
  [
    "timers whose refusal is caught",
    "for (;;) { try { setTimeout(() => {}, 1e6); } catch {} }",
    STOPPED,
  ],
  [
    "timers of timers",
    "const more = () => { try { setTimeout(more); setTimeout(more); } catch {} }; more(); return new Promise(() => {});",
    STOPPED,
  ],
  [
    "intervals that burn",
    "setInterval(() => { for (let i = 0; i < 1e7; i++); }, 0); return new Promise(() => {});",
    TIME,
  ],
  [
    "microtasks",
    "const more = () => Promise.resolve().then(more); more(); return new Promise(() => {});",
    STOPPED,
  ],
  [
    "microtasks that double",
    "const more = () => { queueMicrotask(more); queueMicrotask(more); }; more(); return new Promise(() => {});",
    STOPPED,
  ],
  [
    "microtasks at the top",
    "globalThis.more = () => queueMicrotask(more); more(); await new Promise(() => {});",
    TIME,
  ],
  [
    "microtasks left behind",
    "const more = () => { Promise.resolve().then(more); }; more(); return 1;",
    [...TIME, "ok"],
  ],
  [
    "promise races",
    "for (;;) Promise.race([new Promise(() => {}), new Promise(() => {})]);",
    STOPPED,
  ],
  ["thenables", "for (;;) Promise.resolve({ then(f) { f({ then() {} }); } });", STOPPED],
  ["denied fetches", "for (;;) fetch('http://127.0.0.1/').catch(() => {});", CONTAINED],
  [
    "denied fetches, awaited",
    "for (;;) { try { await fetch('http://127.0.0.1/'); } catch {} }",
    CONTAINED,
  ],
  [
    "random bytes",
    "const bytes = new Uint8Array(65536); for (;;) crypto.getRandomValues(bytes);",
    STOPPED,
  ],
  [
    "digests",
    "const data = new Uint8Array(1e6); for (;;) crypto.subtle.digest('SHA-512', data).catch(() => {});",
    CONTAINED,
  ],
  [
    "digests, awaited",
    "const data = new Uint8Array(1e6); for (;;) await crypto.subtle.digest('SHA-512', data);",
    TIME,
  ],
  [
    "a derivation of two thousand million rounds",
    "const key = await crypto.subtle.importKey('raw', new Uint8Array(8), 'PBKDF2', false, ['deriveBits']); return crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt: new Uint8Array(8), iterations: 2 ** 31 - 1 }, key, 512);",
    CONTAINED,
  ],
  [
    "many derivations that nobody waits for",
    "const key = await crypto.subtle.importKey('raw', new Uint8Array(8), 'PBKDF2', false, ['deriveBits']); for (let i = 0; i < 8; i++) crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt: new Uint8Array(8), iterations: 1e9 }, key, 512).catch(() => {}); return 1;",
    ENDED,
  ],
  [
    "a huge key pair",
    "return crypto.subtle.generateKey({ name: 'RSA-PSS', modulusLength: 16384, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign', 'verify']);",
    CONTAINED,
  ],
  [
    "events",
    "const target = new EventTarget(); for (;;) target.addEventListener('x' + Math.random(), () => {});",
    STOPPED,
  ],
  ["abort signals", "for (;;) AbortSignal.any([AbortSignal.timeout(1e6)]);", CONTAINED],
  [
    "messages to itself",
    "const { port1, port2 } = new MessageChannel(); port2.onmessage = () => { port1.postMessage(1); port1.postMessage(1); }; port1.postMessage(1); return new Promise(() => {});",
    CONTAINED,
  ],
  ["reported errors", "for (;;) reportError(new Error('x'));", CONTAINED],
  ["rejections", "for (;;) Promise.reject(new Error('x'));", CONTAINED],
  ["recursion", "const f = () => f() + 1; return f();", ["failed"]],
  [
    "recursion that catches its end",
    "const f = () => { try { f(); } finally { f(); } }; return f();",
    [...TIME, "failed"],
  ],
  [
    "recursion through the engine",
    "const p = new Proxy({}, { get: (_, key) => p[key] }); return p.x;",
    ["failed"],
  ],
  [
    "recursion through JSON",
    "const o = { toJSON: () => JSON.stringify(o) }; return JSON.stringify(o);",
    ["failed"],
  ],
  ["recursion through replace", "const f = () => 'a'.replace('a', f); return f();", ["failed"]],
  [
    "calls to the host from the end of the stack",
    `const ops = [() => console.log("deep"), () => crypto.getRandomValues(new Uint8Array(4)), () => new URL("http://a/"), () => setTimeout(() => {}), () => fetch("http://127.0.0.1/").catch(() => {}), () => crypto.subtle.digest("SHA-1", new Uint8Array(1)).catch(() => {}), () => structuredClone({ a: 1 }), () => performance.now(), () => new TextDecoder("shift_jis").decode(new Uint8Array(2)), () => new Response("x").text()];
     for (const op of ops) { let calls = 0; const deep = () => { try { deep(); } catch {} if (calls++ < 200) try { op(); } catch {} }; deep(); } return 1;`,
    ENDED,
  ],
]);
