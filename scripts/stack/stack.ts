import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { dockerHost } from "../setup/docker-api.ts";
import type { Machine } from "../setup/set-up.ts";
import { claimFolder, thisProcess } from "./claim.ts";
import { DEMO_TENANT, demoKey } from "./demo-key.ts";
import { EngineWatch } from "./engine-watch.ts";
import { gatewayService } from "./gateway-service.ts";
import { laneStates } from "./lanes.ts";
import { nodeService } from "./node-service.ts";
import { makeTemporaryFolder, type StackPlaces, stackPlaces } from "./places.ts";
import { takePort } from "./ports.ts";
import { writeProcesses } from "./processes.ts";
import { keepSecrets, type Secrets } from "./secrets.ts";
import { sharedVariables } from "./shared-variables.ts";
import { removeStackFile, type StackFile, writeStackFile } from "./stack-file.ts";
import { Supervised } from "./supervised.ts";

export type ServiceName = "gateway" | "sandbox-worker" | "container-executor" | "egress-proxy";

export interface StackOptions {
  /** The project's folder. */
  readonly root: string;
  /** Keeps state, logs and stack.json. A temporary one, in memory where there is one, if left out. */
  readonly folder?: string;
  /** Keeps the state alone somewhere else. */
  readonly stateFolder?: string;
  /** Replaces variables of wrangler.toml. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Added to sandbox-worker's environment. */
  readonly sandboxEnv?: Readonly<Record<string, string>>;
  /** Added to egress-proxy's environment. */
  readonly egressEnv?: Readonly<Record<string, string>>;
  /** Added to container-executor's environment. */
  readonly containerEnv?: Readonly<Record<string, string>>;
  /** Free ones where left out. */
  readonly ports?: Partial<StackPorts>;
  /** All that the machine has what it takes for, if left out. */
  readonly services?: readonly ServiceName[];
  /** What the set-up found. Without it the lanes that need it say so. */
  readonly machine?: Machine;
}

export interface StackPorts {
  readonly gateway: number;
  readonly sandbox: number;
  readonly container: number;
  readonly egress: number;
}

/** Production has a cron trigger that does the same. */
const SWEEP_EVERY_MS = 60_000;

/**
 * Starts the services and keeps them running: each that dies is back on the same port with the same
 * state. Several stacks run side by side, in folders of their own.
 *
 * @throws When one runs in this folder already, or a service does not come up. Nothing is left then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const ports = {
    gateway: await takePort(options.ports?.gateway),
    sandbox: await takePort(options.ports?.sandbox),
    container: await takePort(options.ports?.container),
    egress: await takePort(options.ports?.egress),
  };
  const temporary = options.folder === undefined ? await makeTemporaryFolder() : null;
  const places = stackPlaces(options.folder ?? temporary ?? "", options.stateFolder);
  await claimFolder(places);
  const stack = new Stack(options, places, temporary, ports);
  try {
    await stack.start();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** A running stack. Its processes come and go by themselves; it is over when it is stopped. */
export class Stack {
  readonly folder: string;
  readonly gateway: string;
  readonly sandbox: string;
  readonly container: string;
  readonly secrets: Secrets;
  readonly tenant = DEMO_TENANT;
  readonly stackFile: string;
  readonly #options: StackOptions;
  readonly #places: StackPlaces;
  readonly #temporary: string | null;
  readonly #ports: StackPorts;
  readonly #services = new Map<ServiceName, Supervised>();
  readonly #engine: EngineWatch;
  #sweeps: NodeJS.Timeout | undefined;
  #key = "";
  #isUp = false;
  #stopped: Promise<void> | null = null;

  /** Use `startStack`: this alone starts nothing. */
  constructor(
    options: StackOptions,
    places: StackPlaces,
    temporary: string | null,
    ports: StackPorts,
  ) {
    this.#options = options;
    this.#places = places;
    this.#temporary = temporary;
    this.#ports = ports;
    this.folder = places.folder;
    this.stackFile = places.stackFile;
    this.gateway = `http://127.0.0.1:${ports.gateway}`;
    this.sandbox = `http://127.0.0.1:${ports.sandbox}`;
    this.container = `http://127.0.0.1:${ports.container}`;
    this.secrets = keepSecrets(places.state);
    const { machine } = options;
    const own = machine?.engine.ready === true ? machine.engine.value.own : null;
    this.#engine = new EngineWatch(own, () => this.#record());
  }

  /** The demo tenant's API key; empty when the gateway is not among the services. */
  get key(): string {
    return this.#key;
  }

  /** What stack.json says at this moment. */
  describe(): StackFile {
    const pid = (name: ServiceName) => this.#services.get(name)?.servingPid ?? null;
    return {
      gateway: this.gateway,
      dashboard: null,
      tenant: this.tenant,
      key: this.#key,
      adminToken: this.secrets.ADMIN_TOKEN,
      lanes: laneStates(
        { isolate: pid("sandbox-worker") !== null, container: pid("container-executor") !== null },
        this.#options.machine ?? null,
      ),
      pids: {
        gateway: pid("gateway"),
        "sandbox-worker": pid("sandbox-worker"),
        "container-executor": pid("container-executor"),
        dockerd: this.#engine.pid,
      },
    };
  }

  /** Brings everything up. Called once, by `startStack`. */
  async start(): Promise<void> {
    mkdirSync(this.#scratch, { recursive: true });
    const wanted = this.#wanted;
    // All are waited for, also after a failure: a stop ends only what has been started.
    const starts = await Promise.allSettled(wanted.map((name) => this.#bringUp(name)));
    const failures = starts.filter((start) => start.status === "rejected");
    if (failures.length > 0) {
      const reasons = failures.map(({ reason }) => reason as unknown);
      throw new AggregateError(reasons, reasons.map(messageOf).join("\n"));
    }
    if (wanted.includes("gateway")) {
      this.#key = await demoKey(this.gateway, this.secrets.ADMIN_TOKEN, this.#places.state);
    }
    this.#engine.start();
    this.#sweeps = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS);
    this.#isUp = true;
    this.#record();
  }

  /** Lets everything finish what it runs and ends it. Repeating it waits for the same end. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Cuts a stop short: whatever still runs is lost. */
  hurry(): void {
    for (const service of this.#services.values()) service.kill();
  }

  async #stop(): Promise<void> {
    this.#isUp = false;
    this.#engine.stop();
    clearInterval(this.#sweeps);
    removeStackFile(this.#places.stackFile);
    // The executors first: what they still run is answered through the gateway.
    await Promise.all([
      this.#services.get("sandbox-worker")?.stop(),
      this.#services.get("container-executor")?.stop(),
      this.#services.get("egress-proxy")?.stop(),
    ]);
    await this.#services.get("gateway")?.stop();
    rmSync(this.#scratch, { recursive: true, force: true });
    rmSync(this.#places.processesFile, { force: true });
    if (this.#temporary !== null) rmSync(this.#temporary, { recursive: true, force: true });
  }

  async #bringUp(name: ServiceName): Promise<void> {
    const service = new Supervised(await this.#spec(name), () => this.#record());
    this.#services.set(name, service);
    await service.start();
  }

  #spec(name: ServiceName) {
    const { root, vars, sandboxEnv, containerEnv, egressEnv, machine } = this.#options;
    const common = { root, temporary: this.#scratch, log: join(this.#places.logs, `${name}.log`) };
    switch (name) {
      case "gateway":
        return gatewayService({
          ...common,
          port: this.#ports.gateway,
          state: join(this.#places.state, "gateway"),
          values: {
            ...this.secrets,
            SANDBOX_URLS: this.sandbox,
            CONTAINER_URLS: this.#wanted.includes("container-executor") ? this.container : "",
            EGRESS_PROXY_URL: `http://127.0.0.1:${this.#ports.egress}`,
            ...vars,
          },
          cacheHome: machine?.cacheHome ?? join(this.folder, "cache"),
        });
      case "sandbox-worker":
        return nodeService({
          ...common,
          name,
          port: this.#ports.sandbox,
          env: { EXECUTOR_SECRET: this.secrets.EXECUTOR_SECRET, ...sandboxEnv },
        });
      case "egress-proxy":
        return nodeService({
          ...common,
          name,
          port: this.#ports.egress,
          env: { EXECUTOR_SECRET: this.secrets.EXECUTOR_SECRET, ...egressEnv },
        });
      case "container-executor":
        return nodeService({
          ...common,
          name,
          port: this.#ports.container,
          env: {
            ...sharedVariables(root, vars),
            EXECUTOR_SECRET: this.secrets.EXECUTOR_SECRET,
            DOCKER_HOST: this.#dockerHost ?? "",
            // The gateway's own variable decides what is granted.
            CONTAINER_NETWORK: "*",
            CONTAINER_STATE_DIR: join(this.#places.state, "container-executor"),
            ...containerEnv,
          },
        });
    }
  }

  /** Keeps the files beside the stack true to its processes. */
  #record(): void {
    if (this.#stopped !== null) return;
    writeProcesses(this.#places.processesFile, [
      thisProcess(),
      ...[...this.#services.values()].flatMap((service) => service.processes),
    ]);
    if (this.#isUp) writeStackFile(this.#places.stackFile, this.describe());
  }

  get #wanted(): readonly ServiceName[] {
    return this.#options.services ?? servicesFor(this.#dockerHost);
  }

  /** Finds what an alarm was lost for. One that fails is made up for by the next. */
  async #sweep(): Promise<void> {
    try {
      const response = await fetch(`${this.gateway}/admin/sweep`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.secrets.ADMIN_TOKEN}` },
        signal: AbortSignal.timeout(SWEEP_EVERY_MS / 2),
      });
      await response.body?.cancel();
    } catch {
      // The gateway is on its way back.
    }
  }

  /** Where the Docker engine listens; null where there is none, or no image to run in. */
  get #dockerHost(): string | null {
    const { machine } = this.#options;
    if (machine?.engine.ready !== true || !machine.runtimeImages.ready) return null;
    return dockerHost(machine.engine.value.endpoint);
  }

  get #scratch(): string {
    return join(this.#places.state, "tmp");
  }
}

const servicesFor = (engine: string | null): readonly ServiceName[] =>
  engine === null
    ? ["sandbox-worker", "egress-proxy", "gateway"]
    : ["sandbox-worker", "container-executor", "egress-proxy", "gateway"];

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
