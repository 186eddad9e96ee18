import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { releaseMachine, setUp } from "./setup/set-up.ts";
import { whyTaken } from "./stack/claim.ts";
import { makeTemporaryFolder } from "./stack/places.ts";
import { portFrom, preferPort } from "./stack/ports.ts";
import { curlLine, proveLane } from "./stack/prove.ts";
import { type Stack, type StackPorts, startStack } from "./stack/stack.ts";
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
      containerEnv: { DOCKER_RUNTIME: process.env["DOCKER_RUNTIME"] ?? "" },
      ...(stateFolder === null ? {} : { stateFolder }),
    });
    const running = stack;
    stop.onRepeat(() => running.hurry());
    const failures = await proveLanes(stack);
    report(stack, failures);
    if (!isCheck) await stop.received;
    return failures.size === 0 ? 0 : 1;
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

async function wantedPorts(): Promise<Partial<StackPorts>> {
  const gateway = portFrom("GATEWAY_PORT", process.env);
  const sandbox = portFrom("SANDBOX_PORT", process.env);
  const container = portFrom("CONTAINER_PORT", process.env);
  return {
    gateway: gateway ?? (await preferPort(USUAL_PORT)),
    ...(sandbox === null ? {} : { sandbox }),
    ...(container === null ? {} : { container }),
  };
}

/** What is wrong with each lane that serves here; a lane that the machine cannot have is not wrong. */
async function proveLanes(stack: Stack): Promise<ReadonlyMap<string, string>> {
  const { lanes } = stack.describe();
  const failures = new Map<string, string>();
  for (const lane of ["isolate", "container"] as const) {
    if (!lanes[lane].ready) continue;
    const failure = await proveLane(lane, stack.gateway, stack.key);
    if (failure !== null) failures.set(lane, failure);
  }
  return failures;
}

function report(stack: Stack, failures: ReadonlyMap<string, string>): void {
  for (const [lane, { ready, reason }] of Object.entries(stack.describe().lanes)) {
    const failure = failures.get(lane);
    if (failure !== undefined) console.log(`Lane ${lane}: does not work; ${failure}`);
    else console.log(`Lane ${lane}: ${ready ? "ready, proved by a run" : reason}`);
  }
  console.log(
    `\nGateway:  ${stack.gateway}\nAPI docs: ${stack.gateway}/docs\nAPI key:  ${stack.key}`,
  );
  console.log(`\nTry it:\n${curlLine(stack.gateway, stack.key)}\n`);
}
