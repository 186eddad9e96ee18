import { failRun, settleRun } from "./outcome.ts";
import { onIdle } from "./pending.ts";
import { apply, hasProperty, jsonParse, stringSlice, uncurryThis } from "./primordials.ts";
import { readAsyncForm } from "./result/forms.ts";
import { makeContext, type RunContext } from "./run-context.ts";
import { currentRun, type Run } from "./run-state.ts";

const functionToString = uncurryThis(Function.prototype.toString);

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
  if (!hasProperty(namespace, "default")) {
    onIdle(() => settleRun(run, undefined));
    return;
  }
  void finish(run, () => start(namespace, inputJson, ctx));
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

function start(namespace: object, inputJson: string | null, ctx: RunContext): unknown {
  const main = (namespace as { default: unknown }).default;
  if (typeof main === "function") {
    if (isClass(main)) return main;
    const input: unknown = inputJson === null ? undefined : jsonParse(inputJson);
    return apply(main as (input: unknown, ctx: RunContext) => unknown, undefined, [input, ctx]);
  }
  return main;
}

function isClass(main: object): boolean {
  return stringSlice(functionToString(main as () => void), 0, 5) === "class";
}
