import { parseSecretList } from "../../protocol/api-key.ts";
import type { Isolation } from "../../protocol/sandbox-api.ts";
import { type Stack, startStack } from "../../scripts/stack/stack.ts";
import type { Entrant } from "../contest.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { Load } from "../load/load.ts";
import type { SandboxTarget } from "../load/sandbox-client.ts";
import { JOB, type Work } from "../work.ts";

/** What drives a sandbox-worker directly: how, and how often it is asked for. */
export interface SandboxLoad {
  readonly name: string;
  readonly isolation: Isolation;
  readonly tenants: number;
  readonly work?: Work;
}

/** A sandbox-worker with nothing but the bench before it. Owns its processes and its clients'. */
export class BenchSandbox implements AsyncDisposable {
  readonly url: string;
  readonly #stack: Stack;
  readonly #clients: LoadProcess[] = [];
  readonly #ownsStack: boolean;

  private constructor(stack: Stack, ownsStack: boolean) {
    this.#stack = stack;
    this.#ownsStack = ownsStack;
    this.url = stack.sandbox;
  }

  static async start(root: string): Promise<BenchSandbox> {
    return new BenchSandbox(await startStack({ root, services: ["sandbox-worker"] }), true);
  }

  /** The sandbox-worker of a stack that someone else stops. */
  static of(stack: Stack): BenchSandbox {
    return new BenchSandbox(stack, false);
  }

  /** Its supervisor, whose children the cages are. */
  get pid(): number {
    const { pids } = this.#stack.describe();
    const pid = pids["sandbox-worker"];
    if (pid === null) throw new Error("Cannot measure the sandbox-worker: it is not running");
    return pid;
  }

  /** A client process of its own, ready to put any load on. */
  async client({ name, isolation, tenants, work = JOB }: SandboxLoad): Promise<Client> {
    const [secret] = parseSecretList("EXECUTOR_SECRET", this.#stack.secrets.EXECUTOR_SECRET);
    if (secret === undefined) throw new TypeError("Cannot sign: the stack has no secret");
    const target: SandboxTarget = { url: this.url, secret, isolation, tenants, work };
    const client = await LoadProcess.start(
      new URL("../load/sandbox-client.ts", import.meta.url),
      target,
    );
    this.#clients.push(client);
    return { name, client, measuredPids: [this.pid] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    if (this.#ownsStack) await this.#stack.stop();
  }
}

/** A process that loads come from, and the processes that do the work. */
export interface Client {
  readonly name: string;
  readonly client: LoadProcess;
  readonly measuredPids: readonly number[];
}

/** A client under a load, ready for a contest. */
export function entrant({ name, client, measuredPids }: Client, load: Load): Entrant {
  return {
    name,
    load,
    run: (given) => client.run(given),
    measuredPids,
    clientPid: measuredPids.includes(client.pid) ? null : client.pid,
  };
}
