import { z } from "zod";

import { Outcome } from "../../../protocol/outcome.ts";
import {
  ConsoleLine,
  Encoding,
  RunError,
  Truncation,
  Unlinkable,
} from "../../../protocol/sandbox-api.ts";
import type { CageEnd } from "../../cage-protocol.ts";

const duration = z.number().nonnegative();

/** What a cage may say of a run's end. A guest that broke out of its isolate could say anything. */
const Form = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("result"),
    outcome: Outcome.extract([
      "ok",
      "failed",
      "wall_timeout",
      "cpu_timeout",
      "memory_limit",
      "output_limit",
      "cancelled",
    ]),
    started: z.boolean(),
    valueJson: z.string().nullable(),
    encoding: Encoding.nullable(),
    error: RunError.nullable(),
    stdout: z.string(),
    stderr: z.string(),
    console: z.array(ConsoleLine),
    truncated: Truncation.nullable(),
    wallMs: duration,
    cpuMs: duration,
    memoryPeakBytes: z.number().int().nonnegative(),
    reusable: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("unlinkable"), unlinkable: Unlinkable }),
]);

/** Reads an `end` frame, or undefined where it is none: the cage is then not to be trusted. */
export function readCageEnd(payload: Buffer): CageEnd | undefined {
  let json: unknown;
  try {
    json = JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
  return Form.safeParse(json).data;
}
