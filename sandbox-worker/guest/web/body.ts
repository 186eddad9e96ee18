import type { ReadableStream } from "web-streams-polyfill";

import { load } from "../lazy-modules.ts";
import type { Blob } from "./blob.ts";
import { type ExtractedBody, extractRegistered } from "./body-forms.ts";
import type { FormData } from "./form-data.ts";
import { parseQuery } from "./form-urlencoded.ts";
import { copyBytes, joinBytes, toText } from "./idl.ts";
import type { IncomingBody } from "./incoming-body.ts";
import { decodeUtf8, encodeUtf8 } from "./utf-8.ts";

/** Where a body's bytes come from. A stream is made only where the program asks for one. */
export type BodySource =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "stream"; readonly stream: ReadableStream<unknown> }
  | { readonly kind: "incoming"; readonly incoming: IncomingBody };

/** A body's source and media type from what a program gave as one. */
export function extractBody(value: unknown): { source: BodySource; type: string | null } {
  if (value === null || value === undefined) return { source: { kind: "none" }, type: null };
  if (typeof value === "object" && isStream(value)) {
    if (value.locked) throw new TypeError("Cannot use a stream as a body: it is locked");
    return { source: { kind: "stream", stream: value }, type: null };
  }
  const { bytes, type } = extractBytes(value);
  return { source: { kind: "bytes", bytes }, type };
}

function extractBytes(value: unknown): ExtractedBody {
  if (typeof value === "object" && value !== null) {
    const bytes = copyBytes(value);
    if (bytes !== null) return { bytes, type: null };
    const registered = extractRegistered(value);
    if (registered !== null) return registered;
  }
  return { bytes: encodeUtf8(toText(value)), type: "text/plain;charset=UTF-8" };
}

function isStream(value: object): value is ReadableStream<unknown> {
  return typeof (value as { getReader?: unknown }).getReader === "function";
}

/** What `Request` and `Response` share: a body that is read once. */
export abstract class Body {
  #source: BodySource;
  #isUsed = false;

  protected constructor(source: BodySource) {
    this.#source = source;
  }

  protected abstract contentType(): string | null;

  get body(): ReadableStream<unknown> | null {
    const source = this.#source;
    if (source.kind === "none") return null;
    if (source.kind === "stream") return source.stream;
    const stream = this.#isUsed ? emptyStream() : openStream(source);
    this.#source = { kind: "stream", stream };
    return stream;
  }
  get bodyUsed(): boolean {
    if (this.#source.kind !== "stream") return this.#isUsed;
    return this.#isUsed || load.streams().isDisturbed(this.#source.stream);
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const source = this.#source;
    if (source.kind === "none") return new Uint8Array();
    if (this.bodyUsed || (source.kind === "stream" && source.stream.locked)) {
      throw new TypeError("Cannot read the body: it was read already, or is locked");
    }
    this.#isUsed = true;
    switch (source.kind) {
      case "bytes":
        return source.bytes.slice();
      case "incoming":
        return await source.incoming.whole();
      case "stream":
        return joinBytes(await load.streams().readAllBytes(source.stream));
    }
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }
  async text(): Promise<string> {
    return withoutBom(decodeUtf8(await this.bytes()));
  }
  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }
  async blob(): Promise<Blob> {
    const bytes = await this.bytes();
    return new (load.blob().Blob)([bytes], { type: this.contentType() ?? "" });
  }
  async formData(): Promise<FormData> {
    const type = this.contentType() ?? "";
    const essence = type.split(";")[0]?.trim().toLowerCase();
    if (essence === "application/x-www-form-urlencoded") {
      const form = new (load.formData().FormData)();
      for (const [name, value] of parseQuery(await this.text())) form.append(name, value);
      return form;
    }
    const found = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type);
    const boundary = found?.[1] ?? found?.[2];
    if (essence !== "multipart/form-data" || boundary === undefined) {
      throw new TypeError(`Cannot read the body as form data: its type is "${type}"`);
    }
    return load.multipart().parseMultipart(await this.bytes(), boundary);
  }

  /** A second body with the same content; this one stays unread. */
  protected teeBody(): BodySource {
    const source = this.#source;
    if (this.bodyUsed || (source.kind === "stream" && source.stream.locked)) {
      throw new TypeError("Cannot clone: the body was read already, or is locked");
    }
    if (source.kind === "none" || source.kind === "bytes") return source;
    const [mine, other] = (this.body as ReadableStream<unknown>).tee();
    this.#source = { kind: "stream", stream: mine };
    return { kind: "stream", stream: other };
  }

  /** Sets the source of a body just made. */
  protected giveBody(source: BodySource): void {
    this.#source = source;
  }

  /** Gives the source to another body, and counts as read. */
  protected takeBody(): BodySource {
    const source = this.#source;
    if (this.bodyUsed || (source.kind === "stream" && source.stream.locked)) {
      throw new TypeError("Cannot use the body: it was read already, or is locked");
    }
    if (source.kind !== "none") this.#isUsed = true;
    return source;
  }
}

function withoutBom(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

function emptyStream(): ReadableStream<unknown> {
  const { ReadableStream } = load.streams();
  const stream = new ReadableStream<unknown>({ start: (controller) => controller.close() });
  // What was read by a method counts as read by a reader that never lets go.
  stream.getReader();
  return stream;
}

function openStream(
  source: Exclude<BodySource, { kind: "none" | "stream" }>,
): ReadableStream<unknown> {
  const { ReadableStream } = load.streams();
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      if (source.kind === "bytes") {
        if (source.bytes.length > 0) controller.enqueue(source.bytes.slice());
        controller.close();
        return;
      }
      source.incoming.pipeTo({
        chunk: (bytes) => {
          if (bytes.length > 0) controller.enqueue(bytes);
        },
        end: () => {
          controller.close();
          // A pending "bring your own buffer" read ends only when it is answered.
          controller.byobRequest?.respond(0);
        },
        failed: (error) => controller.error(error),
      });
    },
    cancel() {
      if (source.kind === "incoming") source.incoming.cancel();
    },
  }) as ReadableStream<unknown>;
}
