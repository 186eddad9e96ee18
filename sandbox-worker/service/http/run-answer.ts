import type { ServerResponse } from "node:http";

import { answerRefusal } from "../../../executor-http/answer.ts";
import { RUN_CONTENT_TYPE } from "../../../protocol/sandbox-api.ts";
import type { PoolRunEnd, PoolRunListener } from "../pool/pool.ts";

/** A reader that takes nothing for so long is gone. What it was to get is freed. */
const STALLED_MS = 30_000;

/**
 * A run's answer as NDJSON: its head before the first statement runs, so that a gateway that lost
 * the connection knows whether one may have; events as they come where they are wanted; its end.
 * What a slow reader leaves here is bounded by the run's own output cap.
 */
export class RunAnswer implements PoolRunListener {
  readonly #response: ServerResponse;
  readonly #streams: boolean;

  constructor(response: ServerResponse, streams: boolean) {
    this.#response = response;
    this.#streams = streams;
  }

  started(queueMs: number): void {
    if (this.#streams) this.#line(JSON.stringify({ event: { type: "started", queueMs } }));
    else {
      // What was read together goes out together: a short run's end is often there already.
      process.nextTick(() => {
        if (this.#response.headersSent || this.#response.destroyed) return;
        this.#head();
        this.#response.flushHeaders();
      });
    }
  }

  console(json: Buffer): void {
    if (this.#streams) this.#line(`{"event":{"type":"console","line":${json.toString("utf8")}}}`);
  }

  ended(end: PoolRunEnd): void {
    const response = this.#response;
    if (response.destroyed) return;
    switch (end.kind) {
      case "result":
        this.#last({ end: end.result });
        return;
      case "unlinkable":
        this.#last({ unlinkable: end.unlinkable });
        return;
      case "refused":
        // After an event the status is out: an answer without an end is a lost run.
        if (response.headersSent) response.destroy();
        else answerRefusal(response, end.refusal);
        return;
      case "withdrawn":
        response.destroy();
    }
  }

  #line(json: string): void {
    this.#head();
    this.#response.write(`${json}\n`);
  }

  #head(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, { "Content-Type": RUN_CONTENT_TYPE });
  }

  #last(line: unknown): void {
    const response = this.#response;
    const text = `${JSON.stringify(line)}\n`;
    response.setTimeout(STALLED_MS, () => {
      response.destroy();
    });
    if (!response.headersSent) {
      response.writeHead(200, {
        "Content-Type": RUN_CONTENT_TYPE,
        "Content-Length": Buffer.byteLength(text),
      });
    }
    response.end(text);
  }
}
