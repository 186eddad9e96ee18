import { CONTAINED, STOPPED, hostilePrograms } from "./hostile-program.ts";

/** What has been seen to abort the process or to pass its memory limit several times over. */
export const GREEDY = hostilePrograms([
  ["symbols without end", "for (let i = 0; ; i++) Symbol.for('s' + i);", STOPPED],
  [
    "a set of texts without end",
    "const set = new Set(); for (let i = 0; ; i++) set.add('k' + i);",
    STOPPED,
  ],
  [
    "an object of keys without end",
    "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
    STOPPED,
  ],
  [
    "two objects of keys without end",
    "const o = {}, p = {}; for (let i = 0; ; i++) { o['k' + i] = i; p['k' + i] = o; }",
    STOPPED,
  ],
  [
    "a list of a typed array of forty million",
    "return [...new Uint8Array(4e7)].length;",
    CONTAINED,
  ],
  [
    "a filled list of forty million from a typed array",
    "const a = new Array(4e7); const t = new Float64Array(1e6).fill(0.5); for (let i = 0; i < a.length; i++) a[i] = t[i % 1e6] + i; return a.length;",
    STOPPED,
  ],
  [
    "a spread of a generator without end",
    "return [...(function* () { for (;;) yield {}; })()];",
    STOPPED,
  ],
  ["a text doubled for ever", "let s = 'x'; for (;;) s += s;", CONTAINED],
  [
    "concatenation kept flat",
    "let s = 'x'.repeat(1e6); const kept = []; for (;;) { s = s.slice(1) + 'y'; s.charCodeAt(5e5); kept.push(s.replace('x', 'z')); }",
    STOPPED,
  ],
  [
    "one resizable buffer grown far",
    "const b = new ArrayBuffer(0, { maxByteLength: 2 ** 32 }); for (let n = 1 << 20; ; n += 1 << 20) { b.resize(n); new Uint8Array(b, n - (1 << 20)).fill(1); }",
    CONTAINED,
  ],
  [
    "many resizable buffers",
    "const kept = []; for (let i = 0; i < 64; i++) { const b = new ArrayBuffer(0, { maxByteLength: 2 ** 30 }); b.resize(2 ** 26); new Uint8Array(b).fill(1); kept.push(b); } return kept.length;",
    CONTAINED,
  ],
  [
    "buffers transferred to larger ones",
    "let b = new ArrayBuffer(1 << 20); for (;;) { b = b.transfer(b.byteLength * 2); new Uint8Array(b).fill(1); }",
    CONTAINED,
  ],
  [
    "a growing shared buffer",
    "const b = new SharedArrayBuffer(0, { maxByteLength: 2 ** 32 }); for (let n = 1 << 20; ; n += 1 << 20) b.grow(n);",
    ["failed"],
  ],
  [
    "WebAssembly memory",
    "return new WebAssembly.Memory({ initial: 30000, maximum: 65536 }).buffer.byteLength;",
    ["failed"],
  ],
  [
    "WebAssembly from a machine's own constructor",
    "return (0, eval)('WebAssembly').Memory;",
    ["failed"],
  ],
  [
    "texts of code points",
    "return String.fromCharCode(...new Uint16Array(1e8)).length;",
    CONTAINED,
  ],
  [
    "functions without end",
    "const kept = []; for (let i = 0; ; i++) kept.push(new Function('return ' + i + ';' + 'x;'.repeat(1000)));",
    STOPPED,
  ],
  [
    "regular expressions without end",
    "const kept = []; for (let i = 0; ; i++) { const r = new RegExp('a{' + (i % 1000) + '}(?<x' + i + '>b)'); r.test('ab'); kept.push(r); }",
    STOPPED,
  ],
  [
    "errors with long stacks without end",
    "Error.stackTraceLimit = Infinity; const kept = []; const deep = (n) => { kept.push(new Error('x')); if (n) deep(n - 1); }; for (;;) deep(2000);",
    STOPPED,
  ],
  ["promises without end", "const kept = []; for (;;) kept.push(new Promise(() => {}));", STOPPED],
  [
    "async functions within each other",
    "const f = async () => { await f(); }; return f();",
    CONTAINED,
  ],
  [
    "weak references and registries without end",
    "const registry = new FinalizationRegistry(() => {}); const kept = []; for (;;) { const o = {}; registry.register(o, kept); kept.push(new WeakRef(o)); }",
    STOPPED,
  ],
  [
    "a map of maps",
    "let m = new Map(); for (;;) m = new Map([[m, m], [{}, new Array(100).fill(m)]]);",
    STOPPED,
  ],
  ["eval of a huge source", "return eval('1;'.repeat(5e7));", CONTAINED],
  [
    "a function of a huge source",
    "return new Function('return [' + '1,'.repeat(2e7) + ']')().length;",
    CONTAINED,
  ],
  ["eval of deep nesting", "return eval('('.repeat(1e6) + ')'.repeat(1e6));", CONTAINED],
  [
    "clones of clones",
    "let a = [new Array(1e5).fill(1)]; for (;;) a = structuredClone([a, a]);",
    CONTAINED,
  ],
  [
    "headers without end",
    "const h = new Headers(); for (let i = 0; ; i++) h.append('k' + i, 'v'.repeat(1000));",
    STOPPED,
  ],
  [
    "searches without end",
    "const s = new URLSearchParams(); for (let i = 0; ; i++) s.append('k' + i, 'v'.repeat(1000));",
    STOPPED,
  ],
  ["a URL of a hundred megabytes", "for (;;) new URL('http://a/' + 'ü'.repeat(3e7));", CONTAINED],
  ["base64 of a hundred megabytes", "for (;;) btoa('a'.repeat(1e8));", CONTAINED],
  [
    "text encoded again and again",
    "const kept = []; const text = '€'.repeat(1e6); for (;;) kept.push(new TextEncoder().encode(text));",
    STOPPED,
  ],
  [
    "text decoded by the host",
    "const kept = []; const bytes = new Uint8Array(1e7).fill(0x93); for (;;) kept.push(new TextDecoder('shift_jis').decode(bytes));",
    CONTAINED,
  ],
  [
    "compression of nothing much",
    "const w = new CompressionStream('gzip').writable.getWriter(); for (;;) w.write(new Uint8Array(1e6)).catch(() => {});",
    CONTAINED,
  ],
  [
    "a decompression bomb",
    "let b = new Uint8Array(5e6); for (let i = 0; i < 2; i++) b = new Uint8Array(await new Response(new Blob([b]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer()); const kept = []; for (;;) kept.push(await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip'))).arrayBuffer());",
    CONTAINED,
  ],
]);
