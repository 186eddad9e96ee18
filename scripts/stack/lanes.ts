import type { Machine } from "../setup/set-up.ts";
import type { StackFile } from "./stack-file.ts";

type Lanes = StackFile["lanes"];

/** Which lanes run here, and what the others lack. */
export function laneStates(isolateServes: boolean, machine: Machine | null): Lanes {
  return {
    isolate: isolateServes
      ? { ready: true, reason: "sandbox-worker serves" }
      : { ready: false, reason: "sandbox-worker is not running" },
    browser: { ready: false, reason: `The browser lane is not built yet. ${browser(machine)}` },
    container: {
      ready: false,
      reason: `The container lane is not built yet. ${container(machine)}`,
    },
  };
}

function browser(machine: Machine | null): string {
  if (machine === null) return "Chromium was not looked for";
  const { chromium } = machine;
  return chromium.ready ? `Chromium is ready: ${chromium.note}` : `Chromium: ${chromium.reason}`;
}

function container(machine: Machine | null): string {
  if (machine === null) return "A Docker engine was not looked for";
  const { engine, baseImage } = machine;
  if (!engine.ready) return `Docker engine: ${engine.reason}`;
  const image = baseImage.ready ? baseImage.note : `base image: ${baseImage.reason}`;
  return `The Docker engine is ready: ${engine.note}; ${image}`;
}
