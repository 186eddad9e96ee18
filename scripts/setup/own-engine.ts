import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { withLock } from "../lock.mjs";
import { identify, isAlive, type ProcessIdentity } from "../process-identity.mjs";
import { stopProcess } from "../stop-process.ts";
import { type DockerEndpoint, engineVersion } from "./docker-api.ts";
import { daemonConfig, type EnginePlaces, runscNetScript } from "./engine-places.ts";
import { findProgram } from "./find-program.ts";
import { unmountBelow } from "./mounts.ts";
import { lastLines } from "./run-command.ts";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 100;

/**
 * A Docker engine of the project's own, shared by all its commands that run at the same time: the
 * first starts it, the last to leave stops it, and one that was killed no longer counts.
 */
export class OwnEngine {
  readonly endpoint: DockerEndpoint;
  readonly #places: EnginePlaces;

  constructor(places: EnginePlaces) {
    this.#places = places;
    this.endpoint = { kind: "socket", socketPath: places.socket };
  }

  /** The daemon that serves now, or null while there is none. */
  get daemon(): ProcessIdentity | null {
    const recorded = readIdentity(this.#places.record);
    return recorded !== null && isAlive(recorded) ? recorded : null;
  }

  /**
   * Counts this process as a user and makes sure that the engine answers.
   *
   * @throws With the daemon's own last words when it does not start.
   */
  async join(): Promise<void> {
    mkdirSync(this.#places.folder, { recursive: true, mode: 0o700 });
    await withLock(this.#places.lock, async () => {
      mkdirSync(this.#places.users, { recursive: true });
      writeFileSync(this.#userFile(), JSON.stringify(identify(process.pid)));
      await this.#ensureServing();
    });
  }

  /** Starts the engine again if it died. */
  async revive(): Promise<void> {
    await withLock(this.#places.lock, () => this.#ensureServing());
  }

  /** Stops counting this process, and stops the engine if no other process uses it. */
  async leave(): Promise<void> {
    await withLock(this.#places.lock, async () => {
      rmSync(this.#userFile(), { force: true });
      if (this.#liveUsers() === 0) await this.#stop();
    });
  }

  async #ensureServing(): Promise<void> {
    if (this.daemon !== null && (await engineVersion(this.endpoint)) !== null) return;
    await this.#stop();
    await this.#start();
  }

  async #start(): Promise<void> {
    const places = this.#places;
    const dockerd = findProgram("dockerd");
    if (dockerd === null) throw new Error("dockerd is not installed");
    // Whoever reaches the socket is root, so its folder is its owner's alone.
    mkdirSync(dirname(places.socket), { recursive: true, mode: 0o700 });
    for (const folder of [places.dataRoot, places.execRoot, dirname(places.log)]) {
      mkdirSync(folder, { recursive: true });
    }
    this.#writeConfig();

    const log = openSync(places.log, "w");
    // A group of its own: the signal that ends one command must not end the engine under another.
    const child = spawn(
      dockerd,
      [
        "--config-file",
        places.configFile,
        "--data-root",
        places.dataRoot,
        "--exec-root",
        places.execRoot,
        "--pidfile",
        places.pidFile,
        "--host",
        `unix://${places.socket}`,
      ],
      { stdio: ["ignore", log, log], detached: true },
    );
    closeSync(log);
    child.unref();
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (identity !== null) writeFileSync(places.record, JSON.stringify(identity));

    const deadline = Date.now() + START_TIMEOUT_MS;
    while (child.exitCode === null && identity !== null && Date.now() < deadline) {
      if ((await engineVersion(this.endpoint)) !== null) return;
      await sleep(POLL_MS);
    }
    await this.#stop();
    throw new Error(`dockerd does not start: ${lastLines(readFileSync(places.log, "utf8"), 3)}`);
  }

  #writeConfig(): void {
    const { configFile, runscNet } = this.#places;
    const runsc = findProgram("runsc");
    writeFileSync(configFile, JSON.stringify(daemonConfig(runsc, runscNet), null, 2));
    if (runsc !== null) writeFileSync(runscNet, runscNetScript(runsc), { mode: 0o755 });
  }

  async #stop(): Promise<void> {
    const { record, pidFile, execRoot, dataRoot } = this.#places;
    const daemon = this.daemon;
    if (daemon !== null) await stopProcess(daemon, STOP_TIMEOUT_MS);
    await this.#stopContainerd(join(execRoot, "containerd/containerd.pid"));
    for (const folder of [execRoot, dataRoot]) await unmountBelow(dirname(folder));
    for (const file of [record, pidFile]) rmSync(file, { force: true });
  }

  /** A daemon that was killed leaves its containerd; one that stops in order takes it along. */
  async #stopContainerd(pidFile: string): Promise<void> {
    if (!existsSync(pidFile)) return;
    const pid = Number(readFileSync(pidFile, "utf8"));
    const identity = Number.isInteger(pid) ? identify(pid) : null;
    // The pid file has no start time; the command line names this project's own folder instead.
    if (identity !== null && commandLine(pid).includes(this.#places.execRoot)) {
      await stopProcess(identity, STOP_TIMEOUT_MS);
    }
    rmSync(pidFile, { force: true });
  }

  #userFile(): string {
    return join(this.#places.users, String(process.pid));
  }

  #liveUsers(): number {
    if (!existsSync(this.#places.users)) return 0;
    const files = readdirSync(this.#places.users).map((name) => join(this.#places.users, name));
    const live = files.filter((file) => {
      const user = readIdentity(file);
      return user !== null && isAlive(user);
    });
    for (const file of files) if (!live.includes(file)) rmSync(file, { force: true });
    return live.length;
  }
}

function readIdentity(path: string): ProcessIdentity | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isIdentity(value) ? value : null;
  } catch {
    return null;
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return typeof value === "object" && value !== null && "pid" in value && "startTime" in value;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
