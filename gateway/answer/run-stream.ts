import type { ConsoleLine } from "../../protocol/sandbox-api.ts";

/**
 * How often an answer that has begun says something. A client that closed its connection is only
 * noticed when something is written to it, and then its run ends.
 */
export const KEEPALIVE_MS = 1_000;

/** How a run's events are written. */
export interface StreamFormat {
  readonly contentType: string;
  readonly keepalive: string;
  readonly event: (seq: number, type: string, json: string) => string;
}

export const SSE: StreamFormat = {
  contentType: "text/event-stream; charset=utf-8",
  keepalive: ": keep-alive\n\n",
  event: (seq, type, json) => `id: ${seq}\nevent: ${type}\ndata: ${json}\n\n`,
};

export const NDJSON: StreamFormat = {
  contentType: "application/x-ndjson; charset=utf-8",
  keepalive: "\n",
  event: (_seq, _type, json) => `${json}\n`,
};

/** Writes a run's events, numbered from 1 without gaps; `done` is the last. */
export class EventWriter {
  readonly #format: StreamFormat;
  readonly #write: (text: string) => void;
  #seq = 0;

  constructor(format: StreamFormat, write: (text: string) => void) {
    this.#format = format;
    this.#write = write;
  }

  started(runId: string): void {
    this.#send("started", JSON.stringify({ runId }));
  }

  console(line: ConsoleLine): void {
    this.#send("console", JSON.stringify(line));
  }

  /** `resultText` is a result's JSON, put in as it is. */
  done(resultText: string): void {
    this.#send("done", `{"result":${resultText}}`);
  }

  #send(type: string, fields: string): void {
    const seq = ++this.#seq;
    const head = JSON.stringify({ seq, type, at: new Date().toISOString() });
    this.#write(this.#format.event(seq, type, `${head.slice(0, -1)},${fields.slice(1)}`));
  }
}

/**
 * A body that `produce` writes, kept alive between its texts with `keepalive`, and closed when it
 * is done. `onCancel` is called once if the client leaves before.
 */
export function writtenBody(
  keepalive: string,
  produce: (write: (text: string) => void) => Promise<void>,
  onCancel: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setInterval> | null = null;
  let isOpen = true;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string): void => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      };
      timer = setInterval(() => {
        // A client that reads nothing is owed no more of them.
        if ((controller.desiredSize ?? 0) > 0) write(keepalive);
      }, KEEPALIVE_MS);
      const finish = (end: () => void): void => {
        clearInterval(timer);
        if (!isOpen) return;
        isOpen = false;
        end();
      };
      produce(write).then(
        () => finish(() => controller.close()),
        (error: unknown) => finish(() => controller.error(error)),
      );
    },
    cancel() {
      clearInterval(timer);
      isOpen = false;
      onCancel();
    },
  });
}
