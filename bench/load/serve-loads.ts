import { type Contender, type Load, runLoad, type Samples } from "./load.ts";

/** What a load's process is told: once what it drives, then any number of loads. */
export type Order =
  | { readonly kind: "begin"; readonly target: unknown }
  | { readonly kind: "load"; readonly load: Load };

/** What it says: `ready` to `begin`, `samples` to each `load`; `failed` to either, and then no more. */
export type Reply =
  | { readonly kind: "ready"; readonly measuredPid: number | null }
  | { readonly kind: "samples"; readonly samples: Samples }
  | { readonly kind: "failed"; readonly message: string };

/** A contender that may hold things open, and may live in a process of its own. */
export interface Served<Answer> extends Contender<Answer> {
  /** The process whose CPU time the work costs, where this process itself started it. */
  readonly measuredPid?: number;
  close(): Promise<void>;
}

/**
 * The whole life of a process that loads are run in: makes its contender of what the parent says, runs
 * one load after the other, and ends with its parent.
 */
export function serveLoads<Answer>(open: (target: unknown) => Promise<Served<Answer>>): void {
  let served: Served<Answer> | undefined;
  let turn = 0;

  async function obey(order: Order): Promise<Reply> {
    if (order.kind === "begin") {
      served = await open(order.target);
      return { kind: "ready", measuredPid: served.measuredPid ?? null };
    }
    if (served === undefined) throw new TypeError("Cannot run a load: nothing was begun");
    const samples = await runLoad(order.load, served, turn);
    turn += samples.latencyMs.length;
    return { kind: "samples", samples };
  }

  process.on("message", (order: Order) => {
    obey(order)
      .catch((error: unknown): Reply => ({ kind: "failed", message: messageOf(error) }))
      .then((reply) => process.send?.(reply))
      .catch(() => process.exit(1));
  });
  process.once("disconnect", () => {
    const closed = served?.close() ?? Promise.resolve();
    closed.then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
