import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { type NamedSecret, parseSecretList } from "../../protocol/api-key.ts";
import { type Stack, startStack } from "../../scripts/stack/stack.ts";
import { mintBenchKey } from "./bench-tenant.ts";
import { NoOpExecutor } from "./no-op-executor.ts";
import { WorkerdGateway } from "./workerd.ts";

/** A gateway on workerd with the processes that its jobs cost, and keys of its tenants. */
export interface QueueGateway {
  readonly url: string;
  readonly pids: readonly number[];
  readonly keys: readonly string[];
}

export interface GatewayWish {
  /** Names its folder. */
  readonly name: string;
  readonly tenants: number;
  readonly vars?: Readonly<Record<string, string>>;
  /** The Worker's entry, where it is not the one of wrangler.toml. */
  readonly main?: string;
}

/** Gateways whose queues are measured, with real executors behind them or without. Owns all of it. */
export class BenchQueue implements AsyncDisposable {
  readonly #root: string;
  readonly #stack: Stack;
  readonly #owned: AsyncDisposableStack;

  private constructor(root: string, stack: Stack, owned: AsyncDisposableStack) {
    this.#root = root;
    this.#stack = stack;
    this.#owned = owned;
  }

  /** @param hasSandbox Whether a sandbox-worker is started, for gateways that run what they queue. */
  static async start(root: string, hasSandbox: boolean): Promise<BenchQueue> {
    const services = hasSandbox ? (["sandbox-worker"] as const) : [];
    const stack = await startStack({ root, services });
    const owned = new AsyncDisposableStack();
    owned.defer(() => stack.stop());
    return new BenchQueue(root, stack, owned);
  }

  /** Where the state of all gateways lies. */
  get folder(): string {
    return this.#stack.folder;
  }

  get adminToken(): string {
    return this.#stack.secrets.ADMIN_TOKEN;
  }

  /** A gateway whose runs are answered by a process that runs nothing, after `runMs`. */
  async alone(wish: GatewayWish, runMs = 0): Promise<QueueGateway> {
    const executor = this.#owned.use(await NoOpExecutor.start({ secret: this.#secret, runMs }));
    return await this.#gateway(wish, executor.url, executor.pid);
  }

  /** A gateway whose runs are run, in isolates. */
  async whole(wish: GatewayWish): Promise<QueueGateway> {
    const pid = this.#stack.describe().pids["sandbox-worker"];
    if (pid === null) throw new Error("Cannot measure the lane: its sandbox-worker is not running");
    return await this.#gateway(wish, this.#stack.sandbox, pid);
  }

  async #gateway(wish: GatewayWish, sandbox: string, pid: number): Promise<QueueGateway> {
    const folder = join(this.folder, wish.name);
    mkdirSync(folder, { recursive: true });
    const workerd = this.#owned.use(
      await WorkerdGateway.start({
        root: this.#root,
        folder,
        values: {
          ...this.#stack.secrets,
          SANDBOX_URLS: sandbox,
          LOG_REQUESTS: "off",
          ...wish.vars,
        },
        ...(wish.main === undefined ? {} : { main: wish.main }),
      }),
    );
    const keys: string[] = [];
    for (let tenant = 0; tenant < wish.tenants; tenant++) {
      keys.push(await mintBenchKey(workerd.url, this.adminToken, `bench-${tenant}`));
    }
    return { url: workerd.url, pids: [workerd.pid, pid], keys };
  }

  get #secret(): NamedSecret {
    const [secret] = parseSecretList("EXECUTOR_SECRET", this.#stack.secrets.EXECUTOR_SECRET);
    if (secret === undefined) throw new TypeError("Cannot sign: the stack has no secret");
    return secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
