import { CONTAINED, ENDED, STOPPED, TIME, hostilePrograms } from "./hostile-program.ts";

/** One call into the engine that no time-out of its own interrupts. */
export const UNINTERRUPTIBLE = hostilePrograms([
  [
    "indexOf on a huge array-like",
    "return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);",
    TIME,
  ],
  [
    "lastIndexOf on a huge array-like",
    "return Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);",
    TIME,
  ],
  [
    "includes on a huge array-like",
    "return Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);",
    TIME,
  ],
  [
    "reverse on a huge array-like",
    "return Array.prototype.reverse.call({ length: 2 ** 53 - 1 });",
    STOPPED,
  ],
  [
    "fill on a huge array-like",
    "return Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 0);",
    STOPPED,
  ],
  [
    "sort on a huge array-like",
    "return Array.prototype.sort.call({ length: 2 ** 53 - 1 });",
    CONTAINED,
  ],
  [
    "join of a sparse array",
    "const a = []; a[2 ** 32 - 2] = 1; return a.join().length;",
    CONTAINED,
  ],
  ["fill of a thousand million", "return Array(1e9).fill(0).length;", CONTAINED],
  ["fill of fifty million, again and again", "for (;;) new Array(5e7).fill(0);", STOPPED],
  [
    "copyWithin of a sparse array",
    "const a = []; a.length = 2 ** 32 - 1; return a.copyWithin(0, 1).length;",
    STOPPED,
  ],
  ["BigInt power", "return String(9n ** 99_999_999n).length;", CONTAINED],
  ["BigInt multiplication", "let a = 3n ** 5_000_000n; for (;;) a = a * a;", CONTAINED],
  ["BigInt to text", "return String(1n << 500_000_000n).length;", CONTAINED],
  ["BigInt of text", "return BigInt('9'.repeat(2 ** 28)) > 0n;", CONTAINED],
  [
    "BigInt division",
    "const a = 3n ** 20_000_000n, b = 7n ** 5_000_000n; for (;;) a / b;",
    STOPPED,
  ],
  [
    "replaceAll in a huge text",
    "return 'a'.repeat(2 ** 27).replaceAll('a', 'bb').length;",
    CONTAINED,
  ],
  ["normalize of a huge text", "for (;;) '\\u0958\\u0344'.repeat(5e6).normalize('NFKD');", STOPPED],
  ["split of a huge text", "return 'a'.repeat(2 ** 27).split('').length;", CONTAINED],
  [
    "a regular expression of a million ways",
    "return new RegExp(Array.from({ length: 1e6 }, (_, i) => 'k' + i).join('|'), 'i').test('x');",
    CONTAINED,
  ],
  [
    "a regular expression of many classes",
    "return new RegExp('[' + Array.from({ length: 1e5 }, (_, i) => '\\\\u{' + (i + 256).toString(16) + '}').join('') + '--[\\\\p{L}]]', 'v').test('x');",
    ENDED,
  ],
  [
    "a regular expression that tries everything",
    "return /^(\\w+\\s?)*$/.test('aaaa '.repeat(20) + '!');",
    TIME,
  ],
  [
    "localeCompare of huge texts",
    "const a = 'ä'.repeat(2 ** 24); for (;;) a.localeCompare(a + 'b');",
    STOPPED,
  ],
  ["JSON of deep nesting", "for (;;) JSON.parse('['.repeat(1e7) + ']'.repeat(1e7));", CONTAINED],
  ["JSON of a huge list", "for (;;) JSON.stringify(new Array(1e7));", CONTAINED],
  [
    "a sort with a comparison that lies",
    "for (;;) Array.from({ length: 1e6 }, () => 1).sort(() => Math.random() - 0.5);",
    STOPPED,
  ],
  [
    "an array made of a huge array-like",
    "return Array.from({ length: 2 ** 53 - 1 }).length;",
    CONTAINED,
  ],
  [
    "arguments of a huge array-like",
    "return Math.max.apply(null, { length: 2 ** 31 });",
    CONTAINED,
  ],
  [
    "flat of an array in itself",
    "let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; return a.flat(Infinity).length;",
    STOPPED,
  ],
  [
    "number formats without end",
    "for (let i = 0; ; i++) new Intl.NumberFormat('de', { minimumFractionDigits: i % 20 }).format(i);",
    STOPPED,
  ],
  [
    "date formats without end",
    "const kept = []; for (;;) kept.push(new Intl.DateTimeFormat('ar-EG-u-ca-islamic', { dateStyle: 'full' }));",
    STOPPED,
  ],
]);
