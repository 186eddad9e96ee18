/**
 * Walks JSON text without making values of it.
 *
 * `at` moves over what is well-formed; where a method answers false, `fault` says why and `at` is
 * the character it happened at. What is accepted is exactly RFC 8259, as `JSON.parse` has it.
 */
export class JsonCursor {
  readonly text: string;
  at = 0;
  fault: "syntax" | "depth" = "syntax";

  constructor(text: string) {
    this.text = text;
  }

  /** The character code at the cursor, NaN at the end. */
  peek(): number {
    return this.text.charCodeAt(this.at);
  }

  space(): void {
    for (;;) {
      const code = this.peek();
      if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return;
      this.at++;
    }
  }

  /** Moves over one character, if it is the one. */
  take(code: number): boolean {
    if (this.peek() !== code) return false;
    this.at++;
    return true;
  }

  string(): boolean {
    if (!this.take(QUOTE)) return false;
    for (;;) {
      const code = this.peek();
      if (code === QUOTE) {
        this.at++;
        return true;
      }
      // A comparison with NaN is false, so the end of the text is refused here, too.
      if (!(code >= SPACE)) return false;
      this.at++;
      if (code === BACKSLASH && !this.#escape()) return false;
    }
  }

  /** A string, number, literal, or an opened and closed list or object of any of them. */
  value(maxDepth: number): boolean {
    const open: number[] = [];
    for (;;) {
      this.space();
      const code = this.peek();
      if (code === OPEN_OBJECT || code === OPEN_LIST) {
        if (open.length >= maxDepth) {
          this.fault = "depth";
          return false;
        }
        this.at++;
        this.space();
        const close = code + 2;
        if (this.peek() !== close) {
          open.push(close);
          if (code === OPEN_OBJECT && !this.#key()) return false;
          continue;
        }
        this.at++;
      } else if (!this.scalar()) return false;

      for (;;) {
        const close = open.at(-1);
        if (close === undefined) return true;
        this.space();
        if (this.take(COMMA)) {
          this.space();
          if (close === CLOSE_OBJECT && !this.#key()) return false;
          break;
        }
        if (!this.take(close)) return false;
        open.pop();
      }
    }
  }

  scalar(): boolean {
    switch (this.peek()) {
      case QUOTE:
        return this.string();
      case 0x74:
        return this.#word("true");
      case 0x66:
        return this.#word("false");
      case 0x6e:
        return this.#word("null");
      default:
        return this.#number();
    }
  }

  #key(): boolean {
    if (!this.string()) return false;
    this.space();
    return this.take(COLON);
  }

  #escape(): boolean {
    const code = this.peek();
    if (code === 0x75) {
      const hex = this.text.slice(this.at + 1, this.at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) return false;
      this.at += 5;
      return true;
    }
    if (!SHORT_ESCAPES.has(code)) return false;
    this.at++;
    return true;
  }

  #word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  #number(): boolean {
    this.take(MINUS);
    if (!this.take(ZERO) && !this.#digits()) return false;
    if (this.take(POINT) && !this.#digits()) return false;
    if (this.peek() !== 0x65 && this.peek() !== 0x45) return true;
    this.at++;
    if (!this.take(PLUS)) this.take(MINUS);
    return this.#digits();
  }

  #digits(): boolean {
    const from = this.at;
    while (this.peek() >= ZERO && this.peek() <= NINE) this.at++;
    return this.at > from;
  }
}

/** Whether `text` is one JSON value, whatever its depth. */
export function isJson(text: string): boolean {
  const cursor = new JsonCursor(text);
  if (!cursor.value(Infinity)) return false;
  cursor.space();
  return cursor.at === text.length;
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SHORT_ESCAPES = new Set(Array.from('"\\/bfnrt', (char) => char.charCodeAt(0)));
