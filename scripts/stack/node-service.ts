import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { ServiceSpec } from "./supervised.ts";

export interface NodeService {
  /** As its folder, whose `main.ts` starts it. */
  readonly name: "sandbox-worker" | "container-executor" | "egress-proxy";
  readonly root: string;
  readonly port: number;
  readonly log: string;
  readonly temporary: string;
  /** What it is told on top of its address: secrets, limits. */
  readonly env: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_000;
const POLL_MS = 25;

/** Longer than the service's own drain, which ends it in order. */
const DRAIN_MS = 35_000;

/** What a service of its own gets of the supervisor's environment: nothing that is a secret. */
const INHERITED = ["PATH", "HOME", "LANG", "TZ"];

/** A service of Node's, started as in production: by its entry and its environment alone. */
export function nodeService(service: NodeService): ServiceSpec {
  return {
    name: service.name,
    log: service.log,
    drainMs: DRAIN_MS,
    launch: (log) =>
      spawn(process.execPath, [join(service.root, service.name, "main.ts")], {
        cwd: service.root,
        // In a session of its own: a terminal's Ctrl-C is for the supervisor, which drains first.
        detached: true,
        stdio: ["ignore", log, log],
        env: {
          ...inheritedEnv(),
          TMPDIR: service.temporary,
          HOST: "127.0.0.1",
          PORT: String(service.port),
          ...service.env,
        },
      }),
    whenReady: async (child, onServing) => {
      await answers(`http://127.0.0.1:${service.port}/readyz`, () => hasEnded(child));
      if (child.pid !== undefined) onServing(child.pid);
    },
  };
}

async function answers(url: string, isGone: () => boolean): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let last = "nothing listens";
  while (Date.now() < deadline && !isGone()) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      const body = await response.text();
      if (response.ok) return;
      last = `${response.status} ${body.slice(0, 500)}`;
    } catch {
      // Not listening yet.
    }
    await sleep(POLL_MS);
  }
  throw new Error(`it was not ready after ${START_TIMEOUT_MS} ms: ${last}`);
}

function inheritedEnv(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
