import { Readable } from "node:stream";

/** A file of an archive; `size` is what `open` gives, to the byte. */
export interface TarFile {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const BLOCK_BYTES = 512;
const MAX_NAME_BYTES = 100;

/** A file whose contents are at hand. */
export function tarFile(name: string, mode: number, bytes: Uint8Array): TarFile {
  return { name, mode, size: bytes.length, open: () => [bytes] };
}

/**
 * An archive as an engine's build takes it, made as it is read: regular files of root, without a
 * time, so that the same files are the same archive.
 */
export function tar(files: readonly TarFile[]): Readable {
  return Readable.from(blocks(files), { objectMode: false });
}

async function* blocks(files: readonly TarFile[]): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    yield header(file);
    yield* file.open();
    yield new Uint8Array(-file.size & (BLOCK_BYTES - 1));
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

/** The header of a POSIX.1-1988 archive: texts, and numbers as octal texts. */
function header({ name, mode, size }: TarFile): Buffer {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new RangeError(`Cannot archive "${name}": its name is over ${MAX_NAME_BYTES} bytes`);
  }
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  block.write(name, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  // The sum is taken as if its own field held blanks.
  block.write(" ".repeat(8), 148);
  block.write("0", 156);
  block.write("ustar\0" + "00", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}
