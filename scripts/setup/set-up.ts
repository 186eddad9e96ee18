import { join } from "node:path";

import { withLock } from "../lock.mjs";
import { Apt } from "./apt.ts";
import { prepareBaseImage } from "./base-image.ts";
import { prepareCages } from "./cages.ts";
import { type Chromium, prepareChromium } from "./chromium.ts";
import { type Engine, prepareEngine } from "./engine.ts";
import { prepareRuntimeImages } from "./runtime-images.ts";
import { lacking, type Say, type StepResult } from "./step.ts";

/** What the set-up found or made, for whoever starts something next. */
export interface Machine {
  readonly cages: StepResult<null>;
  readonly chromium: StepResult<Chromium>;
  readonly engine: StepResult<Engine>;
  readonly baseImage: StepResult<null>;
  /** References of the images that containers run in. */
  readonly runtimeImages: StepResult<readonly string[]>;
  /** The XDG_CACHE_HOME in which Miniflare finds the browser. */
  readonly cacheHome: string;
}

/**
 * Makes the machine ready for every lane, as far as that goes. Repeating it changes nothing and
 * takes as long as looking. An engine of the project's own that it started is left by `releaseMachine`.
 */
export async function setUp(local: string, say: Say): Promise<Machine> {
  return withLock(
    join(local, "set-up.lock"),
    () => setUpAlone(local, say),
    () => say("Waiting for another command that is setting this machine up"),
  );
}

/** Lets go of what the set-up holds for this process. */
export async function releaseMachine(machine: Machine): Promise<void> {
  if (machine.engine.ready) await machine.engine.value.own?.leave();
}

async function setUpAlone(local: string, say: Say): Promise<Machine> {
  const apt = new Apt(join(local, "logs/set-up.log"), say);
  const cacheHome = join(local, "cache");
  const cages = await step("Cages", say, () => prepareCages(apt));
  const chromium = await step("Chromium", say, () => prepareChromium(apt, cacheHome));
  const engine = await step("Docker engine", say, () => prepareEngine(apt, local));
  const baseImage = engine.ready
    ? await step("Base image", say, () => prepareBaseImage(apt, engine.value.endpoint, say))
    : lacking(engine.reason);
  const runtimeImages =
    engine.ready && baseImage.ready
      ? await step("Runtime images", say, () =>
          prepareRuntimeImages(apt, engine.value.endpoint, local, say),
        )
      : lacking(baseImage.ready ? "no engine" : baseImage.reason);
  return { cages, chromium, engine, baseImage, runtimeImages, cacheHome };
}

async function step<T>(
  name: string,
  say: Say,
  prepare: () => Promise<StepResult<T>>,
): Promise<StepResult<T>> {
  const started = Date.now();
  const result = await prepare();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  say(
    result.ready
      ? `${name}: ready in ${seconds} s (${result.note})`
      : `${name}: missing after ${seconds} s; ${result.reason}`,
  );
  return result;
}
