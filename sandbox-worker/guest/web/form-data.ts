import { registerResultForm } from "../result/forms.ts";
import { Blob, blobBytes, File } from "./blob.ts";
import { registerBodyForm } from "./body-forms.ts";
import { joinBytes, toText } from "./idl.ts";
import { showAs } from "./show-as.ts";
import { encodeUtf8 } from "./utf-8.ts";

type Value = string | File;

/** Fields and files, as a form sends them. */
export class FormData {
  #pairs: [name: string, value: Value][] = [];

  constructor(form?: unknown) {
    if (form !== undefined)
      throw new TypeError("Cannot make FormData of an element: there are none");
  }

  static {
    registerResultForm((value) =>
      #pairs in value ? { value: value.#pairs.map(([name, item]) => [name, item]) } : null,
    );
    registerBodyForm((value) => (#pairs in value ? encodeForm(value.#pairs) : null));
  }

  append(name: unknown, value: unknown, fileName?: unknown): void {
    this.#pairs.push([toText(name), toValue(value, fileName)]);
  }
  delete(name: unknown): void {
    const key = toText(name);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== key);
  }
  get(name: unknown): Value | null {
    const key = toText(name);
    return this.#pairs.find((pair) => pair[0] === key)?.[1] ?? null;
  }
  getAll(name: unknown): Value[] {
    const key = toText(name);
    return this.#pairs.filter((pair) => pair[0] === key).map((pair) => pair[1]);
  }
  has(name: unknown): boolean {
    const key = toText(name);
    return this.#pairs.some((pair) => pair[0] === key);
  }
  set(name: unknown, value: unknown, fileName?: unknown): void {
    const key = toText(name);
    const pair: [string, Value] = [key, toValue(value, fileName)];
    const first = this.#pairs.findIndex(([other]) => other === key);
    if (first === -1) {
      this.#pairs.push(pair);
      return;
    }
    this.#pairs = this.#pairs.filter(([other], at) => at <= first || other !== key);
    this.#pairs[first] = pair;
  }
  forEach(each: (value: Value, name: string, form: this) => void, self?: unknown): void {
    for (const [name, value] of this) each.call(self, value, name, this);
  }
  *entries(): IterableIterator<[string, Value]> {
    for (let i = 0; i < this.#pairs.length; i++) {
      const [name, value] = this.#pairs[i] as [string, Value];
      yield [name, value];
    }
  }
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }
  *values(): IterableIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator](): IterableIterator<[string, Value]> {
    return this.entries();
  }
  get [Symbol.toStringTag](): string {
    return "FormData";
  }
}

function toValue(value: unknown, fileName: unknown): Value {
  if (!(value instanceof Blob)) {
    if (fileName !== undefined) throw new TypeError("Cannot name a field's file: it is not a Blob");
    return toText(value);
  }
  if (value instanceof File && fileName === undefined) return value;
  const name = fileName === undefined ? "blob" : toText(fileName);
  return new File([value], name, { type: value.type });
}

/** A form as `multipart/form-data`. */
function encodeForm(pairs: readonly (readonly [string, Value])[]): {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
} {
  const random = Math.random().toString(36).slice(2).padEnd(12, "0");
  const boundary = `----formdata-bulkhead-${random}${Date.now().toString(36)}`;
  const parts: Uint8Array[] = [];
  for (const [name, value] of pairs) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${quote(crlf(name))}"`;
    if (typeof value === "string") {
      parts.push(encodeUtf8(`${disposition}\r\n\r\n${crlf(value)}\r\n`));
      continue;
    }
    const type = value.type || "application/octet-stream";
    const head = `${disposition}; filename="${quote(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
    parts.push(encodeUtf8(head), blobBytes(value), encodeUtf8("\r\n"));
  }
  parts.push(encodeUtf8(`--${boundary}--\r\n`));
  return { bytes: joinBytes(parts), type: `multipart/form-data; boundary=${boundary}` };
}

const crlf = (text: string): string => text.replace(/\r\n|\r|\n/g, "\r\n");
const quote = (text: string): string =>
  text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");

showAs(FormData, "FormData", (form) => [...form]);
