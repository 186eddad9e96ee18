import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { basename } from "node:path";

import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";

import type { GatewayOrder, GatewayReport } from "./gateway-messages.ts";

/** Miniflare starts a crashed runtime again by itself; later than this it has given up. */
const RESTART_TIMEOUT_MS = 1_500;

const RUNTIME = "workerd";

let miniflare: Miniflare | null = null;
let runtime: ChildProcess | null = null;
let isStopping = false;

// Miniflare keeps its runtime to itself, but whoever supervises it must know which process that is.
subscribe("child_process", (message) => {
  const child = (message as { readonly process: ChildProcess }).process;
  child.once("spawn", () => {
    if (basename(child.spawnfile) === RUNTIME) watch(child);
  });
});

process.once("message", (order: GatewayOrder) => void start(order));
// Asked to stop, or left behind by a supervisor that was killed: it comes to the same.
process.once("disconnect", () => void stop());

async function start({ miniflareOptions }: GatewayOrder): Promise<void> {
  try {
    miniflare = new Miniflare({
      ...(miniflareOptions as MiniflareOptions),
      log: new Log(LogLevel.WARN),
      handleStructuredLogs: ({ level, message }) => {
        if (!isStopping) console.log(JSON.stringify({ level, message }));
      },
      unsafeHandleRuntimeRestart: reportServing,
    });
    await miniflare.ready;
    reportServing();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

function watch(child: ChildProcess): void {
  runtime = child;
  child.once("exit", () => {
    if (isStopping || runtime !== child) return;
    setTimeout(() => {
      if (runtime !== child || isStopping) return;
      console.error("Cannot go on: the runtime exited and did not come back");
      process.exit(1);
    }, RESTART_TIMEOUT_MS);
  });
}

function reportServing(): void {
  const report: GatewayReport = { runtimePid: runtime?.pid ?? null };
  if (process.connected) process.send?.(report);
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await miniflare?.dispose();
  process.exit(0);
}
