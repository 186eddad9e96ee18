import type { Machine } from "../setup/set-up.ts";
import type { StackFile } from "./stack-file.ts";

type Lanes = StackFile["lanes"];

/** Which lanes run here, and what the others lack. */
export function laneStates(
  serves: { readonly isolate: boolean; readonly container: boolean },
  machine: Machine | null,
): Lanes {
  return {
    isolate: serves.isolate
      ? { ready: true, reason: "sandbox-worker serves" }
      : { ready: false, reason: "sandbox-worker is not running" },
    browser: { ready: false, reason: `The browser lane is not built yet. ${browser(machine)}` },
    container: { ready: serves.container, reason: container(serves.container, machine) },
  };
}

function browser(machine: Machine | null): string {
  if (machine === null) return "Chromium was not looked for";
  const { chromium } = machine;
  return chromium.ready ? `Chromium is ready: ${chromium.note}` : `Chromium: ${chromium.reason}`;
}

function container(serves: boolean, machine: Machine | null): string {
  if (machine === null) return "A Docker engine was not looked for";
  const { engine, baseImage, runtimeImages } = machine;
  if (!engine.ready) return `Docker engine: ${engine.reason}`;
  if (!baseImage.ready) return `base image: ${baseImage.reason}`;
  if (!runtimeImages.ready) return `runtime images: ${runtimeImages.reason}`;
  return serves ? `container-executor serves, ${engine.note}` : "container-executor is not running";
}
