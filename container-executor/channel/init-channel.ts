import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { getSystemErrorName } from "node:util";

import { AttachStream } from "./attach-stream.ts";
import {
  decodeExit,
  decodeListing,
  decodeStats,
  type Listing,
  readU64,
} from "./decode-messages.ts";
import {
  DATA_BYTES,
  encodeFrame,
  type Frame,
  FrameDecoder,
  IN,
  KEY_BYTES,
  OUT,
  PROTOCOL_VERSION,
  VALUE_INDEX,
} from "./init-frames.ts";
import type { InitJob } from "./init-job.ts";
import type { InitExit, InitFileEntry, InitStats } from "./init-messages.ts";
import { encodeFile, encodeJob, encodeSmallFile } from "./job-frames.ts";
import { Outgoing } from "./outgoing.ts";
import { Requests } from "./requests.ts";
import { type ChannelKeys, channelKeys, unseal } from "./seal.ts";
import { StdinWindow } from "./stdin-window.ts";

/** What a job did, in order; kept by init and told again after a re-attach until acknowledged. */
export type InitEvent =
  | { readonly type: "started"; readonly seq: number }
  | {
      readonly type: "output";
      readonly seq: number;
      readonly stream: "stdout" | "stderr";
      /** Of the first byte, in the stream as the job wrote it. */
      readonly offset: number;
      readonly bytes: Buffer;
    }
  /** Nothing of the job lives, and all of its output was told. Always the last event. */
  | { readonly type: "exit"; readonly seq: number; readonly exit: InitExit };

/** How a channel ended: this side ended it, or the connection closed or broke first. */
export type InitClosed =
  | { readonly cause: "bye" | "detached" }
  | { readonly cause: "lost"; readonly reason: string };

type OnEvent = (event: InitEvent) => void;

interface DataAnswer {
  readonly errno: number;
  readonly bytes: Buffer;
}

/** How many pieces of a file are asked for ahead. */
const READ_AHEAD = 8;

/**
 * The executor's end of the frames that a container's init speaks, over the hijacked stream of the
 * engine's attach (`Tty: false`, `StdinOnce: false`), which it owns.
 *
 * Back-pressure is by acknowledgement: init holds at most 1 MiB of events that were not
 * acknowledged and reads the job's output no further, so a consumer that acknowledges what it has
 * handled is never flooded. Requests reject once the channel is closed, and before there is a job.
 */
export class InitChannel {
  /** 16 secret bytes of which the channel's keys are made; journal them to `resume` later. */
  readonly syncKey: Buffer;
  /** Init runs and waits for its job, or (resumed) has found this channel again. Rejects when closed before. */
  readonly ready: Promise<void>;
  /** Fulfils once, never rejects. */
  readonly closed: Promise<InitClosed>;

  readonly #keys: ChannelKeys;
  readonly #stream: Duplex;
  readonly #outgoing: Outgoing;
  readonly #attached = new AttachStream();
  readonly #decoder: FrameDecoder;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<InitClosed>();
  readonly #requests = new Requests();
  readonly #stdin: StdinWindow;
  #onEvent: OnEvent | null;
  #lastSeq: number;
  #ending: InitClosed | null = null;
  #isClosed = false;
  #complaint = "";

  /** For a container that was not given its job yet; attach before the container starts. */
  static open(stream: Duplex): InitChannel {
    return new InitChannel(stream, { syncKey: randomBytes(KEY_BYTES), ackedSeq: 0, onEvent: null });
  }

  /** For a container whose job was started over an earlier channel: events after `ackedSeq` come again. */
  static resume(
    stream: Duplex,
    earlier: {
      readonly syncKey: Uint8Array;
      readonly ackedSeq: number;
      readonly onEvent: OnEvent;
    },
  ): InitChannel {
    return new InitChannel(stream, earlier);
  }

  private constructor(
    stream: Duplex,
    state: {
      readonly syncKey: Uint8Array;
      readonly ackedSeq: number;
      readonly onEvent: OnEvent | null;
    },
  ) {
    const isResumed = state.onEvent !== null;
    this.syncKey = Buffer.from(state.syncKey);
    this.#keys = channelKeys(state.syncKey);
    this.ready = this.#ready.promise;
    this.closed = this.#closed.promise;
    this.#stream = stream;
    this.#outgoing = new Outgoing(stream);
    this.#stdin = new StdinWindow((offset, bytes) =>
      this.#outgoing.send(encodeFrame(IN.stdin, Buffer.concat([u64(offset), bytes]))),
    );
    this.#decoder = new FrameDecoder(isResumed ? this.#keys.sync : null);
    this.#onEvent = state.onEvent;
    this.#lastSeq = state.ackedSeq;
    // Whoever awaits neither is not to bring the process down.
    this.ready.catch(() => {});
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    stream.once("error", (error) => this.#lose(error.message));
    stream.once("end", () => this.#lose("the engine ended the connection"));
    stream.once("close", () => this.#lose("the connection is closed"));
    if (isResumed) this.#send(IN.sync, Buffer.concat([this.#keys.sync, u64(state.ackedSeq)]));
  }

  /** Bytes of standard input that init has received over any channel: what a resumer goes on from. */
  get stdinReceived(): number {
    return this.#stdin.sent;
  }

  /**
   * Sends files and job; resolves once they are handed over. Once per container.
   *
   * @throws RangeError where the job's strings are too long or hold a zero byte; nothing was sent.
   */
  async start(job: InitJob, onEvent: OnEvent): Promise<void> {
    if (this.#onEvent !== null) throw new TypeError("Cannot start job: the container has one");
    this.#onEvent = onEvent;
    const frame = encodeJob(job, this.#keys);
    for (const file of job.files) {
      const whole = encodeSmallFile(file);
      // Not awaited: small files leave with the job, in one piece.
      if (whole !== null) void this.#outgoing.send(whole);
      else for await (const part of encodeFile(file)) await this.#outgoing.send(part);
    }
    await this.#outgoing.send(frame);
  }

  /** More standard input; resolves once the job's pipe, or the window before it, took it. */
  async writeStdin(bytes: Uint8Array): Promise<void> {
    await this.#stdin.write(bytes);
  }

  endStdin(): void {
    this.#send(IN.stdinEnd, u64(this.#stdin.sent));
  }

  /** Frees events up to and with this one. */
  ack(seq: number): void {
    this.#send(IN.ack, u64(seq));
  }

  renew(): void {
    this.#send(IN.renew);
  }

  /** SIGTERM to all of the job, after the grace SIGKILL; 0 kills at once. The `exit` event is the proof. */
  cancel(graceMs: number): void {
    this.#send(IN.cancel, u32(Math.ceil(graceMs)));
  }

  /** Use of the running job as seen from inside the container. */
  async stats(): Promise<InitStats> {
    return this.#ask(IN.stats, Buffer.alloc(0), OUT.stats, decodeStats);
  }

  /** What the job wrote to its value pipe; after `exit` only. */
  async readValue(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.readFile(VALUE_INDEX)) parts.push(part);
    return Buffer.concat(parts);
  }

  /**
   * The regular files below /job, in no order; after `exit` only. At most 10,000, 64 folders deep:
   * `complete` is false where there is more.
   */
  async listFiles(): Promise<{
    readonly files: readonly InitFileEntry[];
    readonly complete: boolean;
  }> {
    const files: InitFileEntry[] = [];
    let page: Listing;
    do {
      page = await this.#ask(IN.list, u32(files.length), OUT.listing, decodeListing);
      files.push(...page.files);
    } while (files.length < page.total && page.files.length > 0);
    return { files, complete: page.complete };
  }

  /** Contents of a listed file; after `listFiles`, on this or an earlier channel. Throws where it cannot be read. */
  async *readFile(index: number): AsyncGenerator<Buffer> {
    const ahead: Promise<DataAnswer>[] = [];
    for (let offset = 0; ; offset += DATA_BYTES) {
      while (ahead.length < READ_AHEAD) {
        const part = this.#read(index, offset + ahead.length * DATA_BYTES);
        // A reader that leaves early awaits none of the rest.
        part.catch(() => {});
        ahead.push(part);
      }
      const answer = await ahead.shift();
      if (answer === undefined) return;
      if (answer.errno !== 0) {
        const reason = getSystemErrorName(-answer.errno);
        throw new Error(`Cannot read file ${index} of the container: ${reason}`);
      }
      if (answer.bytes.length > 0) yield answer.bytes;
      if (answer.bytes.length < DATA_BYTES) return;
    }
  }

  /** Tells init to exit, which ends the container, and closes the connection. */
  bye(): void {
    this.#ending ??= { cause: "bye" };
    this.#send(IN.bye);
    this.#outgoing.end();
  }

  /** Leaves the container as it is: another channel may `resume`. */
  detach(): void {
    this.#ending ??= { cause: "detached" };
    this.#stream.destroy();
  }

  #read(index: number, offset: number): Promise<DataAnswer> {
    const request = Buffer.concat([u32(index), u64(offset)]);
    return this.#ask(IN.read, request, OUT.data, (payload) => ({
      errno: payload.readUInt32BE(12),
      bytes: payload.subarray(17),
    }));
  }

  async #ask<T>(
    type: number,
    payload: Buffer,
    answerType: number,
    decode: (payload: Buffer) => T,
  ): Promise<T> {
    if (this.#isClosed) throw this.#lost();
    if (this.#onEvent === null) throw new TypeError("Cannot ask init: the container has no job");
    const answer = this.#requests.add(answerType);
    this.#send(type, payload);
    return decode(await answer);
  }

  #send(type: number, payload?: Uint8Array): void {
    if (this.#isClosed) return;
    // Small frames wait for no drain: there are few, and each waits for an answer or repeats.
    this.#outgoing.send(encodeFrame(type, payload)).catch(() => {});
  }

  #receive(chunk: Buffer): void {
    const pieces = this.#attached.push(chunk);
    if (pieces === null) return this.#break("the engine's stream is no attach stream");
    for (const { stream, bytes } of pieces) {
      if (stream === "stderr") {
        this.#complaint = (this.#complaint + bytes.toString()).slice(-1000);
        continue;
      }
      const { frames, broken } = this.#decoder.push(bytes);
      for (const frame of frames) this.#handle(frame);
      if (broken !== null) return this.#break(broken);
    }
  }

  #handle({ type, payload: sealed }: Frame): void {
    if (this.#isClosed) return;
    try {
      if (type === OUT.ready) return this.#greet(sealed);
      const payload = unseal(type, sealed, this.#keys.seal);
      if (payload === null) return this.#break("a frame does not come from init");
      if (type === OUT.synced) this.#resumed(payload);
      else if (type === OUT.stdinTaken) this.#stdin.move(readU64(payload, 0));
      else if (type === OUT.started || type === OUT.output || type === OUT.exit) {
        this.#tell(type, payload);
      } else this.#requests.answer(type, payload);
    } catch (error) {
      // A frame that is too short for what it says it is: an image's own program, not init.
      if (!(error instanceof RangeError)) throw error;
      this.#break(`a frame of type ${type} is malformed`);
    }
  }

  #greet(payload: Buffer): void {
    const version = payload.readUInt8(0);
    if (version === PROTOCOL_VERSION) this.#ready.resolve();
    else this.#break(`init speaks version ${version}, not ${PROTOCOL_VERSION}`);
  }

  #resumed(payload: Buffer): void {
    this.#stdin.resume(readU64(payload, KEY_BYTES), readU64(payload, KEY_BYTES + 8));
    this.#ready.resolve();
  }

  #tell(type: number, payload: Buffer): void {
    const seq = readU64(payload, 0);
    if (seq !== this.#lastSeq + 1) {
      return this.#break(`event ${seq} follows event ${this.#lastSeq}`);
    }
    this.#lastSeq = seq;
    const rest = payload.subarray(8);
    if (type === OUT.started) this.#onEvent?.({ type: "started", seq });
    else if (type === OUT.exit) this.#onEvent?.({ type: "exit", seq, exit: decodeExit(rest) });
    else {
      this.#onEvent?.({
        type: "output",
        seq,
        stream: rest.readUInt8(0) === 1 ? "stdout" : "stderr",
        offset: readU64(rest, 1),
        bytes: rest.subarray(9),
      });
    }
  }

  #break(reason: string): void {
    this.#lose(reason);
    this.#stream.destroy();
  }

  #lose(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const complaint = this.#complaint.trim();
    const full = complaint === "" ? reason : `${reason}; it said: ${complaint}`;
    this.#ending ??= { cause: "lost", reason: full };
    this.#closed.resolve(this.#ending);
    const error = this.#lost();
    this.#ready.reject(error);
    this.#requests.fail(error);
    this.#stdin.fail(error);
    this.#stream.destroy();
  }

  #lost(): Error {
    const reason = this.#ending?.cause === "lost" ? this.#ending.reason : "it was closed";
    return new Error(`Cannot reach the container's init: ${reason}`);
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
