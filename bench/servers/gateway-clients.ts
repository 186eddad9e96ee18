import type { GatewayTarget } from "../load/gateway-client.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { PingTarget } from "../load/ping-client.ts";
import { JOB } from "../work.ts";
import type { Client } from "./sandbox.ts";

export interface GatewayLoad {
  readonly name: string;
  readonly target: Omit<GatewayTarget, "work">;
  readonly measuredPids: readonly number[];
}

/** Client processes that go through a gateway. Owns them. */
export class GatewayClients implements AsyncDisposable {
  readonly #clients: LoadProcess[] = [];

  /** Runs the job. */
  runs({ name, target, measuredPids }: GatewayLoad): Promise<Client> {
    const whole: GatewayTarget = { ...target, work: JOB };
    const entry = new URL("../load/gateway-client.ts", import.meta.url);
    return this.#start(name, entry, whole, measuredPids);
  }

  /** Asks for something that runs nothing. */
  asks(name: string, target: PingTarget, measuredPids: readonly number[]): Promise<Client> {
    const entry = new URL("../load/ping-client.ts", import.meta.url);
    return this.#start(name, entry, target, measuredPids);
  }

  async #start(
    name: string,
    entry: URL,
    target: unknown,
    measuredPids: readonly number[],
  ): Promise<Client> {
    const client = await LoadProcess.start(entry, target);
    this.#clients.push(client);
    return { name, client, measuredPids };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}
