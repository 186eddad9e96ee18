import { load } from "../lazy-modules.ts";
import { registerResultForm } from "../result/forms.ts";
import { registerBodyForm } from "./body-forms.ts";
import { joinBytes, toDomText, toText, viewBytes } from "./idl.ts";
import { showAs } from "./show-as.ts";
import { decodeUtf8, encodeUtf8 } from "./utf-8.ts";

interface BlobOptions {
  readonly type?: unknown;
  readonly endings?: unknown;
}

let bytesOf: (blob: Blob) => Uint8Array<ArrayBuffer>;

/** Bytes with a media type. They are all here, so reading them never waits. */
export class Blob {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #type: string;

  constructor(parts?: Iterable<unknown>, options?: BlobOptions | null) {
    if (parts !== undefined && (typeof parts !== "object" || parts === null)) {
      throw new TypeError("Cannot make a Blob: its parts are not a list");
    }
    const native = options?.endings === "native";
    this.#bytes = joinBytes(
      Array.from(parts ?? [], (part) => {
        if (part instanceof Blob) return part.#bytes;
        const text = (): string => {
          const raw = toText(part);
          return native ? raw.replaceAll("\r\n", "\n") : raw;
        };
        return viewBytes(part) ?? encodeUtf8(text());
      }),
    );
    this.#type = mediaType(options?.type);
  }

  static {
    bytesOf = (blob) => blob.#bytes;
    registerResultForm((value) => (#bytes in value ? { value: value.#bytes } : null));
    registerBodyForm((value) =>
      #bytes in value ? { bytes: value.#bytes, type: value.#type || null } : null,
    );
  }

  get size(): number {
    return this.#bytes.length;
  }
  get type(): string {
    return this.#type;
  }
  slice(start?: number, end?: number, type?: unknown): Blob {
    return new Blob([this.#bytes.subarray(start, end)], { type });
  }
  async text(): Promise<string> {
    return decodeUtf8(this.#bytes);
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer;
  }
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes.slice();
  }
  stream(): InstanceType<ReturnType<typeof load.streams>["ReadableStream"]> {
    const bytes = this.#bytes;
    return new (load.streams().ReadableStream)({
      type: "bytes",
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }
  get [Symbol.toStringTag](): string {
    return "Blob";
  }
}

/** A Blob with a name. */
export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;

  constructor(
    parts: Iterable<unknown>,
    name: unknown,
    options?: (BlobOptions & { readonly lastModified?: unknown }) | null,
  ) {
    if (arguments.length < 2) throw new TypeError("Cannot make a File: it needs parts and a name");
    super(parts, options);
    this.#name = toText(name);
    const modified = options?.lastModified;
    this.#lastModified = modified === undefined ? Date.now() : Math.trunc(Number(modified)) || 0;
  }
  get name(): string {
    return this.#name;
  }
  get lastModified(): number {
    return this.#lastModified;
  }
  get webkitRelativePath(): string {
    return "";
  }
  override get [Symbol.toStringTag](): string {
    return "File";
  }
}

function mediaType(type: unknown): string {
  const text = type === undefined ? "" : toDomText(type);
  return /[^\x20-\x7e]/.test(text) ? "" : text.toLowerCase();
}

/** The bytes of a Blob, not copied: nobody may write to them. */
export const blobBytes = (blob: Blob): Uint8Array<ArrayBuffer> => bytesOf(blob);

showAs(Blob, "Blob", (blob) => ({ size: blob.size, type: blob.type }));
showAs(File, "File", (file) => ({
  size: file.size,
  type: file.type,
  name: file.name,
  lastModified: file.lastModified,
}));
