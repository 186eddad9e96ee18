import { encodeFrame, IN, KEY_BYTES, MAX_IN_PAYLOAD } from "./init-frames.ts";
import type { InitFile, InitJob } from "./init-job.ts";
import type { ChannelKeys } from "./seal.ts";

const WANTS_VALUE = 1;
const NUMBERS_BYTES = 37;
const FILE_PART_BYTES = 256 * 1024;

/**
 * The JOB frame.
 *
 * @throws RangeError where arguments and environment are more than a frame takes, or hold a zero byte.
 */
export function encodeJob(job: InitJob, keys: ChannelKeys): Buffer {
  const numbers = Buffer.alloc(2 * KEY_BYTES + NUMBERS_BYTES);
  numbers.set(keys.sync);
  numbers.set(keys.seal, KEY_BYTES);
  const environment = Object.entries(job.env).map(([name, value]) => `${name}=${value}`);
  let at = numbers.writeUInt8(job.wantsValue ? WANTS_VALUE : 0, 2 * KEY_BYTES);
  at = numbers.writeUInt32BE(job.warmFrom ?? 0, at);
  at = numbers.writeBigUInt64BE(BigInt(job.limits.memoryBytes ?? 0), at);
  at = numbers.writeBigUInt64BE(BigInt(Math.ceil((job.limits.cpuMs ?? 0) * 1000)), at);
  at = numbers.writeUInt32BE(job.limits.processes ?? 0, at);
  at = numbers.writeUInt32BE(Math.ceil(job.limits.leaseMs), at);
  at = numbers.writeUInt32BE(job.argv.length, at);
  numbers.writeUInt32BE(environment.length, at);
  const payload = Buffer.concat([numbers, ...[...job.argv, ...environment].map(encodeString)]);
  if (payload.length > MAX_IN_PAYLOAD) {
    throw new RangeError(
      `Cannot start job: its arguments and environment take ${payload.length} bytes, more than ${MAX_IN_PAYLOAD}`,
    );
  }
  return encodeFrame(IN.job, payload);
}

function encodeString(text: string): Buffer {
  if (text.includes("\0")) {
    throw new RangeError("Cannot start job: an argument or the environment holds a zero byte");
  }
  const length = Buffer.byteLength(text);
  const bytes = Buffer.alloc(4 + length + 1);
  bytes.writeUInt32BE(length, 0);
  bytes.write(text, 4);
  return bytes;
}

/** The frame that lays a small file down; null for one that takes several. */
export function encodeSmallFile(file: InitFile): Buffer | null {
  if (!(file.bytes instanceof Uint8Array) || file.bytes.length > FILE_PART_BYTES) return null;
  return encodeFrame(IN.file, Buffer.concat([fileHeader(file), file.bytes]));
}

/** The frames that lay a file down, read from its source only as they are taken. */
export async function* encodeFile(file: InitFile): AsyncGenerator<Buffer> {
  yield encodeFrame(IN.file, fileHeader(file));
  const chunks = file.bytes instanceof Uint8Array ? [file.bytes] : file.bytes;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += FILE_PART_BYTES) {
      yield encodeFrame(IN.fileMore, chunk.subarray(at, at + FILE_PART_BYTES));
    }
  }
}

function fileHeader({ path, mode }: InitFile): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt32BE(mode, 0);
  header.writeUInt16BE(Buffer.byteLength(path), 4);
  return Buffer.concat([header, Buffer.from(path)]);
}
