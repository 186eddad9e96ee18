import { z } from "zod";

import { JOB_INPUT, JOB_MODULE, JOB_OUTPUT } from "./job.ts";

/** Work for Bulkhead, and what it must give. */
export const Work = z.strictObject({
  code: z.string(),
  inputJson: z.string(),
  /** Exact JSON text of the value. */
  outputJson: z.string(),
});
export type Work = z.infer<typeof Work>;

/** The job that the contenders share. */
export const JOB: Work = { code: JOB_MODULE, inputJson: JOB_INPUT, outputJson: JOB_OUTPUT };

/** A request for a job without work, which gives `1`: what is measured is all that is around it. */
export const NO_OP_REQUEST = JSON.stringify({
  language: "javascript",
  code: "export default () => 1;",
});

/** Gives back its input: what is measured is how text of some size travels. */
export function echo(bytes: number): Work {
  const row = {
    id: 123_456,
    name: "a row of some length",
    tags: ["one", "two", "three"],
    ok: true,
  };
  const rows = Math.max(1, Math.round(bytes / (JSON.stringify(row).length + 1)));
  const text = JSON.stringify(Array.from({ length: rows }, () => row));
  return { code: "export default (input) => input;\n", inputJson: text, outputJson: text };
}
