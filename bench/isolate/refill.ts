import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { SandboxReadiness } from "../../protocol/sandbox-api.ts";
import { processTree } from "../process-cpu.ts";
import { BenchSandbox } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Suite } from "../suite.ts";

const LOSSES_PER_ROUND = 3;
const MOST_MS = 500;
const POLL_MS = 2;
const TIMEOUT_MS = 10_000;
/** So long without a change, the pool counts as settled. */
const CALM_MS = 500;

/** How long the pool is short of a cage after it lost one. */
export const refill: Suite = {
  name: "refill",
  title: "A lost spare cage is replaced",
  async run({ root, rounds, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    const losses = rounds * LOSSES_PER_ROUND;
    const killed = await timesToWhole(sandbox.url, losses, signal, () => killOneCage(sandbox.pid));
    const client = await sandbox.client({ name: "", isolation: "run", tenants: losses });
    // One run of a tenant that has no cage yet, each time.
    const taken = await timesToWhole(sandbox.url, losses, signal, () =>
      client.client.run({ kind: "closed", callers: 1, seconds: 0 }),
    );
    return {
      results: [],
      findings: [
        {
          what: "SIGKILL of a spare until there are as many again",
          unit: "ms",
          value: spreadOf(killed),
          goal: { at: "most", bound: MOST_MS },
        },
        {
          what: "a new tenant's run takes a spare until there are as many again",
          unit: "ms",
          value: spreadOf(taken),
          goal: { at: "most", bound: MOST_MS },
        },
      ],
      notes: [
        `${losses} of each, one at a time, on an idle service; told by /readyz, asked every ${POLL_MS} ms.`,
      ],
    };
  },
};

/** Loses a spare as often as asked, and times how long it is missing. */
async function timesToWhole(
  url: string,
  losses: number,
  signal: AbortSignal,
  lose: () => unknown,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < losses; i++) {
    signal.throwIfAborted();
    const spares = await settledSpares(url);
    const began = performance.now();
    await lose();
    await until(url, ({ cages }) => cages.spares < spares);
    await until(url, ({ cages }) => cages.spares >= spares);
    times.push(performance.now() - began);
  }
  return times;
}

/** How many spares there are once that has not changed for a while. */
async function settledSpares(url: string): Promise<number> {
  let spares = 0;
  let since = performance.now();
  while (performance.now() - since < CALM_MS) {
    const { cages } = await readiness(url);
    if (cages.spares !== spares) since = performance.now();
    spares = cages.spares;
    await sleep(POLL_MS * 10);
  }
  if (spares > 0) return spares;
  throw new Error("Cannot measure the refill: the service keeps no spare cage");
}

/** Nothing has run yet, so every process of Node's without children, below the supervisor, is a spare. */
function killOneCage(supervisor: number): void {
  const tree = processTree(supervisor);
  const parents = new Set(tree.map(({ parent }) => parent));
  const node = programOf(supervisor);
  const cage = tree.find(({ pid }) => !parents.has(pid) && programOf(pid) === node);
  if (cage === undefined || cage.pid === supervisor) {
    throw new Error("Cannot kill a cage: the service has none");
  }
  process.kill(cage.pid, "SIGKILL");
}

/** Null for a process that ended meanwhile. */
function programOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
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
