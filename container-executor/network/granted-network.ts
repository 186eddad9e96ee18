import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Engine } from "../engine/engine.ts";
import { log } from "../log.ts";
import { lowerBridgeWall, raiseBridgeWall } from "./bridge-wall.ts";
import { EgressProxy } from "./egress-proxy.ts";
import { ProxyCredentials } from "./proxy-credentials.ts";

/** What a run is given of the network. */
export interface NetworkGrant {
  readonly networkId: string;
  /** The proxy, as programs look for it. */
  readonly env: Readonly<Record<string, string>>;
}

interface OpenNetwork {
  readonly id: string;
  readonly gateway: string;
  readonly port: number;
}

export interface GrantedNetworkParts {
  readonly engine: Engine;
  readonly executorId: string;
  /** Outlives the service. */
  readonly secret: Buffer;
  readonly stateFolder: string;
  readonly allowPrivateHosts: readonly string[];
}

const PORT_FILE = "proxy-port";
/** Names of interfaces have 15 characters at most. */
const bridgeName = (executorId: string): string => `bh-${executorId.slice(0, 10)}`;

/**
 * An internal network, without a way out, whose members reach nothing but the egress proxy: not
 * each other, not the machine's other ports. Made when it is first granted; where any of that
 * cannot be made, nothing is granted.
 */
export class GrantedNetwork {
  readonly #parts: GrantedNetworkParts;
  readonly #credentials: ProxyCredentials;
  readonly #proxy: EgressProxy;
  #opening: Promise<OpenNetwork | undefined> | undefined;

  constructor(parts: GrantedNetworkParts) {
    this.#parts = parts;
    this.#credentials = new ProxyCredentials(parts.secret);
    const { allowPrivateHosts } = parts;
    this.#proxy = new EgressProxy({ credentials: this.#credentials, allowPrivateHosts });
  }

  /** A way to the hosts for one run, until `revoke`; undefined where the network cannot be made. */
  async grant(runId: string, net: readonly string[]): Promise<NetworkGrant | undefined> {
    this.#opening ??= this.#open();
    const network = await this.#opening;
    if (network === undefined) {
      this.#opening = undefined;
      return undefined;
    }
    const password = this.#credentials.grant(runId, net);
    const url = `http://${runId}:${password}@${network.gateway}:${network.port}`;
    const local = "localhost,127.0.0.1";
    return {
      networkId: network.id,
      env: {
        HTTP_PROXY: url,
        HTTPS_PROXY: url,
        http_proxy: url,
        https_proxy: url,
        NO_PROXY: local,
        no_proxy: local,
        // Node's own fetch heeds the others only when it is told to.
        NODE_USE_ENV_PROXY: "1",
      },
    };
  }

  revoke(runId: string): void {
    this.#credentials.revoke(runId);
  }

  /** Containers that go on without the service keep their network, and its wall. */
  async close(): Promise<void> {
    const network = await this.#opening;
    this.#proxy.close();
    if (network === undefined) return;
    const removed = await this.#parts.engine.removeNetwork(network.id);
    if (removed.ok) await lowerBridgeWall(bridgeName(this.#parts.executorId));
  }

  async #open(): Promise<OpenNetwork | undefined> {
    const { engine, executorId } = this.#parts;
    const bridge = bridgeName(executorId);
    const network = await engine.ensureNetwork({
      Name: `bulkhead-${executorId}`,
      Driver: "bridge",
      Internal: true,
      Options: {
        "com.docker.network.bridge.name": bridge,
        "com.docker.network.bridge.enable_icc": "false",
      },
      Labels: { "bulkhead.executor": executorId },
    });
    if (!network.ok) {
      log("network.failed", { ...network.failure });
      return undefined;
    }
    const { id, gateway } = network.value;
    try {
      const port = await this.#listen(gateway);
      await raiseBridgeWall(bridge, gateway, port);
      log("network.open", { network: id, gateway, port });
      return { id, gateway, port };
    } catch (error) {
      log("network.failed", { message: error instanceof Error ? error.message : String(error) });
      this.#proxy.close();
      return undefined;
    }
  }

  /** On the port of the earlier life, which runs that go on were told of. */
  async #listen(gateway: string): Promise<number> {
    const file = join(this.#parts.stateFolder, PORT_FILE);
    const earlier = Number(await readFile(file, "utf8").catch(() => "0"));
    const port = await this.#proxy
      .listen(gateway, earlier)
      .catch(async () => await this.#proxy.listen(gateway, 0));
    await writeFile(file, String(port));
    return port;
  }
}
