import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { releaseMachine, setUp } from "./setup/set-up.ts";
import { whyTaken } from "./stack/claim.ts";
import { makeTemporaryFolder } from "./stack/places.ts";
import { portFrom, preferPort } from "./stack/ports.ts";
import { curlLine, proveIsolateLane } from "./stack/prove.ts";
import { type Stack, startStack } from "./stack/stack.ts";
import { StopSignal } from "./stop-signal.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCAL = join(ROOT, ".bulkhead");
const USUAL_PORT = 8787;

const INTERRUPTED = 130;

process.exitCode = await main(process.argv.includes("--check"));

async function main(isCheck: boolean): Promise<number> {
  const taken = whyTaken(LOCAL);
  if (taken !== null) {
    console.error(taken);
    return 1;
  }
  const stop = new StopSignal(() => process.exit(INTERRUPTED));
  const inMemory = process.env["BULKHEAD_STATE"] === "memory";
  const stateFolder = inMemory ? await makeTemporaryFolder() : null;
  const machine = await setUp(LOCAL, (line) => console.log(line));
  let stack: Stack | null = null;
  try {
    if (stop.isReceived) return INTERRUPTED;
    console.log(`State: ${stateFolder ?? join(LOCAL, "state")}`);
    stack = await startStack({
      root: ROOT,
      folder: LOCAL,
      machine,
      ports: await wantedPorts(),
      ...(stateFolder === null ? {} : { stateFolder }),
    });
    const running = stack;
    stop.onRepeat(() => running.hurry());
    const failure = await proveIsolateLane(stack.gateway, stack.key);
    report(stack, failure);
    if (!isCheck) await stop.received;
    return failure === null ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    if (stack !== null && !isCheck) {
      console.log("Stopping once what runs is finished; a second signal stops at once");
    }
    await stack?.stop();
    await releaseMachine(machine);
    if (stateFolder !== null) rmSync(stateFolder, { recursive: true, force: true });
    stop.release();
    console.log("Stopped");
  }
}

async function wantedPorts(): Promise<{ gateway: number; sandbox?: number }> {
  const gateway = portFrom("GATEWAY_PORT", process.env);
  const sandbox = portFrom("SANDBOX_PORT", process.env);
  return {
    gateway: gateway ?? (await preferPort(USUAL_PORT)),
    ...(sandbox === null ? {} : { sandbox }),
  };
}

function report(stack: Stack, failure: string | null): void {
  const { lanes } = stack.describe();
  console.log(
    failure === null
      ? "Lane isolate: ready, proved by a run"
      : `Lane isolate: does not work; ${failure}`,
  );
  console.log(`Lane browser: ${lanes.browser.reason}`);
  console.log(`Lane container: ${lanes.container.reason}`);
  console.log(
    `\nGateway:  ${stack.gateway}\nAPI docs: ${stack.gateway}/docs\nAPI key:  ${stack.key}`,
  );
  console.log(`\nTry it:\n${curlLine(stack.gateway, stack.key)}\n`);
}
