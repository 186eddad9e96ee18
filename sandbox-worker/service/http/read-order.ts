import { RunOrder } from "../../../protocol/sandbox-api.ts";
import type { Ceilings } from "../../config.ts";
import type { AcceptedRun } from "../cages/cage-run.ts";

export type OrderReading =
  | { readonly ok: true; readonly run: AcceptedRun }
  | { readonly ok: false; readonly problem: string };

const NEWLINE = 0x0a;
/** An order is a few hundred bytes, and a hundred hosts of 262 characters. */
const ORDER_MAX_BYTES = 64 * 1024;

/** Splits a body into the order, which is read and held against this service's ceilings, and the work. */
export function readOrder(body: Buffer, ceilings: Ceilings): OrderReading {
  const end = body.indexOf(NEWLINE);
  if (end === -1)
    return { ok: false, problem: "the body must be two lines, the order and the work" };
  if (end > ORDER_MAX_BYTES) return { ok: false, problem: "the order is too long" };
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8", 0, end));
  } catch {
    return { ok: false, problem: "the order is not JSON" };
  }
  const parsed = RunOrder.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, problem: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}` };
  }
  const { caps } = parsed.data;
  for (const name of ["wallMs", "cpuMs", "memoryMb", "outputBytes"] as const) {
    if (caps[name] > ceilings[name]) {
      const problem = `caps.${name}: ${caps[name]} is above this executor's ceiling of ${ceilings[name]}`;
      return { ok: false, problem };
    }
  }
  return { ok: true, run: { order: parsed.data, work: body.subarray(end + 1) } };
}
