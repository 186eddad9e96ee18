import { LoadProcess } from "../load/load-process.ts";
import type { Client } from "../servers/sandbox.ts";
import type { RawTarget } from "./raw-isolated-vm.ts";

const NAMES: Readonly<Record<RawTarget, string>> = {
  "fresh-async": "bare isolated-vm, fresh isolate on demand, async",
  "fresh-sync": "bare isolated-vm, fresh isolate, sync loop on one core",
  "kept-sync": "bare isolated-vm, kept isolate and new context, sync loop on one core",
};

/** A process of bare isolated-vm: it is its own client, and all its time is the contender's. */
export async function rawIsolatedVm(target: RawTarget): Promise<Client & AsyncDisposable> {
  const client = await LoadProcess.start(new URL("./raw-isolated-vm.ts", import.meta.url), target, [
    // isolated-vm asks for it: Node's own startup snapshot breaks its isolates.
    "--no-node-snapshot",
  ]);
  return {
    name: NAMES[target],
    client,
    measuredPids: [client.pid],
    [Symbol.asyncDispose]: () => client.close(),
  };
}
