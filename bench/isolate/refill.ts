import { setTimeout as sleep } from "node:timers/promises";

import { SandboxReadiness } from "../../protocol/sandbox-api.ts";
import { processTree } from "../process-cpu.ts";
import { BenchSandbox } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Suite } from "../suite.ts";

const KILLS_PER_ROUND = 3;
const MOST_MS = 500;
const POLL_MS = 2;
const TIMEOUT_MS = 10_000;

/** How long the pool is short of a cage after one was killed. */
export const refill: Suite = {
  name: "refill",
  title: "A killed cage is replaced",
  async run({ root, rounds }) {
    await using sandbox = await BenchSandbox.start(root);
    const full = await settledSpares(sandbox.url);
    const times: number[] = [];
    for (let i = 0; i < rounds * KILLS_PER_ROUND; i++) {
      const began = performance.now();
      killOneCage(sandbox.pid);
      await until(sandbox.url, ({ cages }) => cages.spares < full);
      await until(sandbox.url, ({ cages }) => cages.spares >= full);
      times.push(performance.now() - began);
    }
    return {
      results: [],
      findings: [
        {
          what: `SIGKILL of a spare cage to ${full} spares again`,
          unit: "ms",
          value: spreadOf(times),
          goal: { at: "most", bound: MOST_MS },
        },
      ],
      notes: [
        `${times.length} kills, one at a time, on an idle service; told by /readyz, asked every ${POLL_MS} ms.`,
      ],
    };
  },
};

/** How many spares an idle service keeps: what it has once it has had none fewer for a while. */
async function settledSpares(url: string): Promise<number> {
  let most = 0;
  for (let calm = 0; calm < 50; calm++) {
    const { cages } = await readiness(url);
    if (cages.spares > most) calm = 0;
    most = Math.max(most, cages.spares);
    await sleep(20);
  }
  if (most === 0) throw new Error("Cannot measure the refill: the service keeps no spare cage");
  return most;
}

/** Nothing has run yet, so every process without children below the supervisor is a spare's own. */
function killOneCage(supervisor: number): void {
  const tree = processTree(supervisor);
  const parents = new Set(tree.map(({ parent }) => parent));
  const cage = tree.find(({ pid }) => pid !== supervisor && !parents.has(pid));
  if (cage === undefined) throw new Error("Cannot kill a cage: the service has no child processes");
  process.kill(cage.pid, "SIGKILL");
}

async function until(url: string, holds: (readiness: SandboxReadiness) => boolean): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!holds(await readiness(url))) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot measure the refill: nothing changed within ${TIMEOUT_MS} ms`);
    }
    await sleep(POLL_MS);
  }
}

async function readiness(url: string): Promise<SandboxReadiness> {
  const answer = await fetch(new URL("/readyz", url));
  return SandboxReadiness.parse(await answer.json());
}
