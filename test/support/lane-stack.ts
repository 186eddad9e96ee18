import { join } from "node:path";

import { releaseMachine, setUp } from "../../scripts/setup/set-up.ts";
import { type Stack, type StackOptions, startStack } from "../../scripts/stack/stack.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A stack with every lane that this machine has what it takes for, its engine held as long. */
export interface LaneStack extends AsyncDisposable {
  readonly stack: Stack;
}

/** Starts the whole stack, as `npm start` does, in a folder of its own. */
export async function startLaneStack(
  options: Omit<StackOptions, "root" | "machine"> = {},
): Promise<LaneStack> {
  const machine = await setUp(join(ROOT, ".bulkhead"), () => {});
  try {
    const stack = await startStack({ root: ROOT, machine, ...options });
    return {
      stack,
      [Symbol.asyncDispose]: async () => {
        await stack.stop();
        await releaseMachine(machine);
      },
    };
  } catch (error) {
    await releaseMachine(machine);
    throw error;
  }
}
