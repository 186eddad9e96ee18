import { CONTAINED, ENDED, STOPPED, TIME, hostilePrograms } from "./hostile-program.ts";

/** Values that fight whoever looks at them: thrown, rejected, or given as the result. */
export const BOOBY_TRAPS = hostilePrograms([
  [
    "a thrown error whose message loops",
    "throw Object.defineProperty(new Error(), 'message', { get() { for (;;); } });",
    TIME,
  ],
  [
    "a thrown error whose stack loops",
    "throw Object.defineProperty(new Error(), 'stack', { get() { for (;;); } });",
    TIME,
  ],
  [
    "a thrown error whose name loops",
    "throw Object.defineProperty(new Error(), 'name', { get() { for (;;); } });",
    TIME,
  ],
  [
    "a thrown error whose cause loops",
    "throw Object.defineProperty(new Error('x'), 'cause', { get() { for (;;); } });",
    [...TIME, "failed"],
  ],
  [
    "a thrown error that is its own cause",
    "const error = new Error('x'); error.cause = error; throw error;",
    ["failed"],
  ],
  [
    "a thrown error with inner errors without end",
    "throw Object.assign(new Error('x'), { errors: new Proxy([], { get: (_, key) => (key === 'length' ? Infinity : new Error('inner')) }) });",
    ENDED,
  ],
  [
    "a thrown proxy whose traps loop",
    "throw new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); }, has() { for (;;); }, ownKeys() { for (;;); } });",
    [...TIME, "failed"],
  ],
  [
    "a thrown proxy of an error",
    "throw new Proxy(new Error('x'), { get() { for (;;); } });",
    [...TIME, "failed"],
  ],
  [
    "a thrown proxy of a proxy that was revoked",
    "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;",
    ["failed"],
  ],
  [
    "a thrown function whose text loops",
    "const f = () => {}; f.toString = f[Symbol.toPrimitive] = () => { for (;;); }; throw f;",
    [...TIME, "failed"],
  ],
  [
    "a thrown error with a message of half a gigabyte",
    "throw new Error('x'.repeat(2 ** 29 - 100));",
    CONTAINED,
  ],
  [
    "a message that is no text",
    "throw Object.assign(new Error(), { message: { toString() { for (;;); } }, name: 5n, stack: Symbol() });",
    ENDED,
  ],
  [
    "Error.prepareStackTrace that loops",
    "Error.prepareStackTrace = () => { for (;;); }; throw new Error('x');",
    [...TIME, "failed"],
  ],
  [
    "Error.prepareStackTrace that gives no text",
    "Error.prepareStackTrace = (_, frames) => frames; throw new Error('x');",
    ["failed"],
  ],
  [
    "Error.captureStackTrace that loops",
    "Error.captureStackTrace = () => { for (;;); }; throw new Error('x');",
    ["failed"],
  ],
  [
    "Error.stackTraceLimit as a getter that loops",
    "Object.defineProperty(Error, 'stackTraceLimit', { get() { for (;;); } }); throw new Error('x');",
    ["failed", ...TIME],
  ],
  [
    "an unawaited rejection with a proxy",
    "Promise.reject(new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); } })); await new Promise((done) => setTimeout(done, 10)); return 1;",
    ENDED,
  ],
  [
    "an unawaited rejection with a looping error",
    "Promise.reject(Object.defineProperty(new Error(), 'message', { get() { for (;;); } })); return 1;",
    ENDED,
  ],
  [
    "a timer that throws a proxy",
    "setTimeout(() => { throw new Proxy({}, { get() { for (;;); } }); }); return new Promise(() => {});",
    [...TIME, "failed"],
  ],
  ["a result whose getter loops", "return { get a() { for (;;); } };", TIME],
  [
    "a result whose getters never end",
    "const more = () => ({ get a() { return more(); }, get b() { return more(); } }); return more();",
    [...STOPPED, "failed", "output_limit"],
  ],
  ["a result whose toJSON loops", "return { toJSON() { for (;;); } };", TIME],
  [
    "a result whose toJSON answers another for ever",
    "const more = () => ({ toJSON: more }); return more();",
    ENDED,
  ],
  [
    "a result that is a proxy whose traps loop",
    "return new Proxy({}, { ownKeys() { for (;;); }, get: (_, key) => (key === 'then' ? undefined : 1) });",
    TIME,
  ],
  [
    "a result whose iterator lies",
    "const map = new Map([[1, 2]]); map[Symbol.iterator] = map.entries = map.forEach = () => { for (;;); }; Map.prototype.forEach = () => { for (;;); }; return map;",
    ["ok"],
  ],
  ["a result that is a thenable that loops", "return { then() { for (;;); } };", TIME],
  [
    "a result that is a thenable of thenables",
    "const more = { then(resolve) { resolve(more); } }; return more;",
    STOPPED,
  ],
  [
    "a result of a length that grows as it is read",
    "const list = [1]; return new Proxy(list, { get: (target, key) => { list.push(1); return target[key]; } });",
    ENDED,
  ],
  [
    "a result as deep as memory",
    "let a = {}; for (let i = 0; i < 3e6; i++) a = { a }; return a;",
    CONTAINED,
  ],
  [
    "a result with a date that lies",
    "const date = new Date(0); date.toISOString = date.getTime = () => { for (;;); }; Date.prototype.toISOString = () => { for (;;); }; return date;",
    ["ok"],
  ],
  [
    "a result with a typed array that lies",
    "const bytes = new Uint8Array(4); Object.defineProperty(bytes, 'length', { get() { for (;;); } }); Object.defineProperty(bytes, 'buffer', { value: {} }); return bytes;",
    ["ok"],
  ],
  [
    "a result with a detached buffer",
    "const bytes = new Uint8Array(4); structuredClone(bytes.buffer, { transfer: [bytes.buffer] }); return bytes;",
    ["ok", "failed"],
  ],
  [
    "a result that empties itself as it is read",
    "const b = new ArrayBuffer(1 << 16, { maxByteLength: 1 << 20 }); const u = new Uint8Array(b); return [{ toJSON() { b.resize(0); return 1; } }, u];",
    ["ok", "failed"],
  ],
  ["a function as a default export that answers itself", "const f = () => f; return f;", ["ok"]],
  [
    "a Symbol.species that loops",
    "class Evil extends Array { static get [Symbol.species]() { for (;;); } } return new Evil(1, 2, 3);",
    ["ok", ...TIME],
  ],
  [
    "a console line whose inspection loops",
    "console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } }, { [Symbol.for('Deno.customInspect')]() { for (;;); } }); return 1;",
    ENDED,
  ],
  [
    "a console line of a proxy that loops",
    "console.log(new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })); return 1;",
    ENDED,
  ],
]);
