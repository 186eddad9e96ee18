import type { ServerResponse } from "node:http";

import type { PoolRunEnd } from "../pool/pool.ts";
import { RunAnswer } from "./run-answer.ts";

/** The answer of a run that came with an id: its end is noted, whoever still reads it. */
export class JobAnswer extends RunAnswer {
  readonly #onEnded: () => void;

  constructor(response: ServerResponse, streams: boolean, onEnded: () => void) {
    super(response, streams);
    this.#onEnded = onEnded;
  }

  override ended(end: PoolRunEnd): void {
    this.#onEnded();
    super.ended(end);
  }
}
