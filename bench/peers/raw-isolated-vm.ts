import ivm from "isolated-vm";
import { z } from "zod";

import { JOB_INPUT, JOB_OUTPUT, JOB_SCRIPT } from "../job.ts";
import { type Served, serveLoads } from "../load/serve-loads.ts";

/**
 * Bare isolated-vm in one process, without HTTP, runtime library, or anything to stop a hostile guest:
 * the floor that a service is held against.
 */
export const RawTarget = z.enum([
  /** Isolate and context made for the request, by the asynchronous API. */
  "fresh-async",
  /** The same by the synchronous API, on the process's main thread. */
  "fresh-sync",
  /** One isolate that stays, a new context for each request; synchronous. */
  "kept-sync",
]);
export type RawTarget = z.infer<typeof RawTarget>;

const MEMORY_MB = 64;
const TIMEOUT_MS = 5000;

const asText = z.string();

async function freshAsync(): Promise<string> {
  const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MB });
  try {
    const context = await isolate.createContext();
    await context.global.set("input", JOB_INPUT);
    const script = await isolate.compileScript(JOB_SCRIPT);
    return asText.parse(await script.run(context, { timeout: TIMEOUT_MS }));
  } finally {
    isolate.dispose();
  }
}

function freshSync(): string {
  const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MB });
  try {
    return inNewContext(isolate);
  } finally {
    isolate.dispose();
  }
}

function inNewContext(isolate: ivm.Isolate): string {
  const context = isolate.createContextSync();
  try {
    context.global.setSync("input", JOB_INPUT);
    const script = isolate.compileScriptSync(JOB_SCRIPT);
    return asText.parse(script.runSync(context, { timeout: TIMEOUT_MS }));
  } finally {
    context.release();
  }
}

function callOf(target: RawTarget): { call(): Promise<string>; close(): Promise<void> } {
  const close = () => Promise.resolve();
  switch (target) {
    case "fresh-async":
      return { call: freshAsync, close };
    case "fresh-sync":
      return { call: () => Promise.resolve(freshSync()), close };
    case "kept-sync": {
      const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MB });
      return {
        call: () => Promise.resolve(inNewContext(isolate)),
        close: () => Promise.resolve(isolate.dispose()),
      };
    }
  }
}

serveLoads((target): Promise<Served<string>> => {
  return Promise.resolve({
    ...callOf(RawTarget.parse(target)),
    check: (answer) => {
      if (answer !== JOB_OUTPUT)
        throw new Error("Cannot use an answer of isolated-vm: it is wrong");
      return {};
    },
  });
});
