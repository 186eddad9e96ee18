import { setTimeout as sleep } from "node:timers/promises";

import { isAlive, type ProcessIdentity } from "./process-identity.mjs";

const POLL_MS = 25;
const KILL_WAIT_MS = 5_000;

/**
 * Ends one process: asked first, killed when it takes longer than `graceMs`. A pid that another
 * process has taken over is left alone. Returns once the process is gone.
 */
export async function stopProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", graceMs],
    ["SIGKILL", KILL_WAIT_MS],
  ] as const) {
    if (!isAlive(identity)) return;
    send(identity.pid, signal);
    const deadline = Date.now() + waitMs;
    while (isAlive(identity) && Date.now() < deadline) await sleep(POLL_MS);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It went by itself between the look and the signal.
  }
}
