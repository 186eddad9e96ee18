import { ops } from "../ops.ts";
import { toLatin1, toText, viewBytes } from "./idl.ts";
import { decodeUtf8, encodeUtf8, encodeUtf8Into, newUtf8State } from "./utf-8.ts";

/** Text to UTF-8. */
export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }
  encode(text: unknown = ""): Uint8Array<ArrayBuffer> {
    return encodeUtf8(String(text));
  }
  encodeInto(text: unknown, bytes: Uint8Array): { read: number; written: number } {
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError("Cannot encode into what is not a Uint8Array");
    }
    return { ...encodeUtf8Into(String(text), 0, bytes, 0) };
  }
  get [Symbol.toStringTag](): string {
    return "TextEncoder";
  }
}

interface DecoderOptions {
  readonly fatal?: unknown;
  readonly ignoreBOM?: unknown;
}

/**
 * Bytes to text. UTF-8 is decoded here, other encodings by the host. What those are given with
 * `stream: true` is held until the last call, since the host keeps nothing between two.
 */
export class TextDecoder {
  readonly #encoding: string;
  readonly #fatal: boolean;
  readonly #ignoreBom: boolean;
  readonly #utf8 = newUtf8State();
  #held = "";
  #isPastBom = false;

  constructor(label: unknown = "utf-8", options?: DecoderOptions) {
    const wanted = toText(label).trim().toLowerCase();
    const encoding = wanted === "utf-8" || wanted === "utf8" ? "utf-8" : ops.textLabel(wanted);
    if (encoding === null) {
      throw new RangeError(`Cannot make a TextDecoder: the encoding "${wanted}" is not known`);
    }
    this.#encoding = encoding;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }

  get encoding(): string {
    return this.#encoding;
  }
  get fatal(): boolean {
    return this.#fatal;
  }
  get ignoreBOM(): boolean {
    return this.#ignoreBom;
  }

  decode(input?: unknown, options?: { readonly stream?: unknown }): string {
    const bytes = input === undefined ? new Uint8Array() : viewBytes(input);
    if (bytes === null)
      throw new TypeError("Cannot decode what is neither a buffer nor a view of one");
    const stream = Boolean(options?.stream);
    return this.#encoding === "utf-8" ? this.#fromUtf8(bytes, stream) : this.#byHost(bytes, stream);
  }

  #fromUtf8(bytes: Uint8Array, stream: boolean): string {
    let text = decodeUtf8(bytes, this.#fatal, this.#utf8, stream);
    if (!this.#isPastBom && text !== "") {
      this.#isPastBom = true;
      if (!this.#ignoreBom && text.startsWith("\ufeff")) text = text.slice(1);
    }
    if (!stream) this.#isPastBom = false;
    return text;
  }

  #byHost(bytes: Uint8Array, stream: boolean): string {
    this.#held += toLatin1(bytes);
    if (stream) return "";
    const held = this.#held;
    this.#held = "";
    const text = ops.textDecode(this.#encoding, held, this.#fatal, this.#ignoreBom);
    if (text === null) throw new TypeError(`Cannot decode: the bytes are not ${this.#encoding}`);
    return text;
  }

  get [Symbol.toStringTag](): string {
    return "TextDecoder";
  }
}
