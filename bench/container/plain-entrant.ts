import type { Entrant } from "../contest.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { Load } from "../load/load.ts";
import type { PlainTarget } from "../peers/plain-container.ts";
import type { BenchEngine } from "../servers/bench-engine.ts";
import { dockerRunFlags } from "./docker-run-flags.ts";
import { COMMAND, type EngineRuntime, IMAGE, plainContainer, STDOUT } from "./program.ts";

type Ways = "command" | "api" | "api-unread";

export interface PlainEntrant extends Entrant, AsyncDisposable {}

/** A container for each run by the engine's own means: its command, or its API. Owns its client. */
export async function plainEntrant(
  engine: BenchEngine,
  runtime: EngineRuntime,
  wanted: Ways,
  load: Load,
  prepare: () => Promise<void>,
): Promise<PlainEntrant> {
  const way = wanted === "command" && !engine.hasCommand ? "api" : wanted;
  const { endpoint } = engine;
  const how: PlainTarget["how"] =
    way === "command"
      ? { kind: "command", dockerHost: engine.dockerHost, args: commandArgs(runtime) }
      : { kind: "api", options: plainContainer(runtime), reads: way === "api" };
  const target: PlainTarget = { endpoint, how, stdout: STDOUT };
  const entry = new URL("../peers/plain-container.ts", import.meta.url);
  const client = await LoadProcess.start(entry, target);
  return {
    name: `${NAMES[way]}, ${runtime}`,
    load,
    prepare,
    run: (given) => client.run(given),
    measuredPids: [],
    clientPid: null,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const NAMES: Readonly<Record<Ways, string>> = {
  command: "docker run --rm",
  api: "engine API: create, attach, start, wait, remove",
  "api-unread": "engine API: create, start, wait, remove",
};

function commandArgs(runtime: EngineRuntime): string[] {
  const [program, ...args] = COMMAND;
  const flags = dockerRunFlags(plainContainer(runtime));
  return ["run", ...flags, "--entrypoint", program, IMAGE, ...args];
}
