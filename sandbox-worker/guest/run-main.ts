import { library } from "./library.ts";
import { failRun, settleRun } from "./outcome.ts";
import { onIdle } from "./pending.ts";
import { apply, hasProperty, jsonParse, stringSlice, functionToString } from "./primordials.ts";
import { readAsyncForm } from "./result/forms.ts";
import { makeContext, type RunContext } from "./run-context.ts";
import { currentRun, type Run } from "./run-state.ts";

export type RequestHandler = (request: object, ...rest: unknown[]) => unknown;
let served: RequestHandler | null = null;

/** Registers what `Deno.serve` was given: it is called where the module has no default export. */
export function serveWith(handler: RequestHandler): void {
  served = handler;
}

/**
 * Does what the entry module asks for by its default export, and ends the run with what comes of
 * it: a function is called with `(input, ctx)`, an object with a `fetch` method with
 * `(request, env, ctx)`, anything else, a class too, is the value itself; a promise is awaited.
 * Without one, `Deno.serve`'s handler is called, and else the module was a script: the run ends
 * with no value when nothing is under way any more.
 */
export function runMain(namespace: object, inputJson: string | null): void {
  const run = currentRun();
  if (run === null) return;
  const ctx = makeContext(run);
  if (!hasProperty(namespace, "default") && served === null) {
    onIdle(() => settleRun(run, undefined));
    return;
  }
  void finish(run, () => start(run, namespace, inputJson, ctx));
}

/** Never rejects: a rejection here would leave the isolate as an error of ours. */
async function finish(run: Run, produce: () => unknown): Promise<void> {
  try {
    const value = await produce();
    settleRun(run, await (readAsyncForm(value) ?? value));
  } catch (thrown) {
    failRun(run, thrown);
  }
}

function start(run: Run, namespace: object, inputJson: string | null, ctx: RunContext): unknown {
  if (!hasProperty(namespace, "default")) return callServed(run);
  const main = (namespace as { default: unknown }).default;
  if (typeof main === "function") {
    if (isClass(main)) return main;
    const input: unknown = inputJson === null ? undefined : jsonParse(inputJson);
    return apply(main as (input: unknown, ctx: RunContext) => unknown, undefined, [input, ctx]);
  }
  if (typeof main === "object" && main !== null) {
    const handler = (main as { fetch?: unknown }).fetch;
    if (typeof handler === "function") {
      return apply(handler as RequestHandler, main, [makeRequest(run), ctx.env, ctx]);
    }
  }
  return main;
}

function callServed(run: Run): unknown {
  const remoteAddr = { transport: "tcp", hostname: "localhost", port: 0 };
  return served?.(makeRequest(run), { remoteAddr });
}

/** The request that the run was started with; a plain GET where it had none. */
function makeRequest(run: Run): object {
  const { method, url, headers, body } = run.boot.request ?? {
    method: "GET",
    url: "http://localhost/",
    headers: {},
    body: null,
  };
  return new (library().request().Request)(url, { method, headers, body });
}

function isClass(main: object): boolean {
  return stringSlice(functionToString(main as () => void), 0, 5) === "class";
}
