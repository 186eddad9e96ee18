import { ContainerOrder } from "../../protocol/container-api.ts";
import { pathProblem } from "../runs/order-job.ts";

export type OrderReading =
  | { readonly ok: true; readonly order: ContainerOrder }
  | { readonly ok: false; readonly problem: string };

/** Reads a `PUT`'s body: of the contract's form, for the run that its path names, and with paths that stay where they belong. */
export function readOrder(body: Buffer, runId: string): OrderReading {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch {
    return { ok: false, problem: "the order is not JSON" };
  }
  const parsed = ContainerOrder.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, problem: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}` };
  }
  const order = parsed.data;
  const problem = contradiction(order, runId);
  return problem === undefined ? { ok: true, order } : { ok: false, problem };
}

function contradiction(order: ContainerOrder, runId: string): string | undefined {
  if (order.runId !== runId) return "runId: it is not the path's";
  if ((order.runtime === null) === (order.image === null)) {
    return "runtime: exactly one of runtime and image must be set";
  }
  if (order.runtime !== null && order.code === null) return "code: a runtime needs it";
  for (const [name, value] of Object.entries(order.env)) {
    if (name === "" || name.includes("=") || `${name}${value}`.includes("\0")) {
      return "env: a name must not be empty or hold =, and nothing a zero byte";
    }
  }
  if (order.args.some((arg) => arg.includes("\0"))) return "args: one holds a zero byte";
  const taken = new Set<string>();
  for (const [index, { path }] of order.files.entries()) {
    const why = pathProblem(path) ?? (taken.has(path) ? "is there twice" : undefined);
    if (why !== undefined) return `files.${index}.path: it ${why}`;
    taken.add(path);
  }
  return undefined;
}
