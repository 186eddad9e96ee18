import { createHmac, timingSafeEqual } from "node:crypto";

import { parseNetPattern } from "../../protocol/net-permission.ts";
import type { NetPattern } from "../../protocol/net-permission.ts";

/**
 * Which run may reach what. A run's password follows from its id and a secret that outlives the
 * service, so a run that goes on over a restart goes on with the one it was given.
 */
export class ProxyCredentials {
  readonly #secret: Buffer;
  readonly #granted = new Map<string, readonly NetPattern[]>();

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The run's password from now on, until `revoke`. Its user name is its id. */
  grant(runId: string, net: readonly string[]): string {
    const patterns = net.map((text) => parseNetPattern(text)).filter((one) => one !== undefined);
    this.#granted.set(runId, patterns);
    return this.#password(runId);
  }

  revoke(runId: string): void {
    this.#granted.delete(runId);
  }

  /** The hosts that the bearer of a `Proxy-Authorization` header may reach; undefined where it is not right. */
  hostsOf(header: string | undefined): readonly NetPattern[] | undefined {
    const [, encoded = ""] = /^Basic ([A-Za-z0-9+/=]{1,400})$/i.exec(header ?? "") ?? [];
    const [runId = "", password = ""] = Buffer.from(encoded, "base64")
      .toString("latin1")
      .split(":");
    const hosts = this.#granted.get(runId);
    if (hosts === undefined) return undefined;
    const expected = Buffer.from(this.#password(runId));
    const given = Buffer.from(password);
    return expected.byteLength === given.byteLength && timingSafeEqual(expected, given)
      ? hosts
      : undefined;
  }

  #password(runId: string): string {
    return createHmac("sha256", this.#secret).update(runId).digest("hex");
  }
}
