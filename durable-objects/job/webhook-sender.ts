import { Webhook } from "standardwebhooks";

import type { Config } from "../../gateway/config.ts";
import { withDeadline } from "../../gateway/lanes/deadline.ts";
import { ExecutorSigner } from "../../gateway/lanes/executor-signer.ts";
import { SignedCalls } from "../../gateway/lanes/signed-calls.ts";
import type { NamedSecret } from "../../protocol/api-key.ts";
import { DELIVER_PATH, DELIVERED_STATUS_HEADER } from "../../protocol/egress-api.ts";
import { base64Of } from "./base64.ts";
import { checkCallback, type DeliveryAnswer } from "./webhook.ts";

/** A signed message, ready to be sent. */
export interface WebhookMessage {
  readonly url: string;
  readonly tenant: string;
  readonly messageId: string;
  readonly body: string;
}

const encoder = new TextEncoder();

/**
 * The secret that a tenant's receivers check messages with, as Standard Webhooks libraries take it
 * (`whsec_…`). Derived, so that one tenant's opens nothing of another's.
 */
export async function tenantWebhookSecret(secret: NamedSecret, tenant: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const master = encoder.encode(secret.secret);
  const key = await crypto.subtle.importKey("raw", master, algorithm, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(`webhook\n${tenant}`));
  return `whsec_${base64Of(new Uint8Array(mac))}`;
}

/** Sends messages to callbacks, signed as Standard Webhooks asks, one try at a time. */
export class WebhookSender {
  readonly #config: Pick<Config, "webhooks" | "egressProxyUrl">;
  readonly #calls: SignedCalls;

  constructor(config: Pick<Config, "webhooks" | "egressProxyUrl" | "executorSecrets">) {
    this.#config = config;
    this.#calls = new SignedCalls(new ExecutorSigner(config.executorSecrets));
  }

  /** Tries once. Never throws; the receiver's body is not read. */
  async send(message: WebhookMessage): Promise<DeliveryAnswer> {
    const { webhooks, egressProxyUrl } = this.#config;
    if (webhooks.secrets.length === 0) {
      return { kind: "forbidden", reason: "there is no secret to sign with" };
    }
    const verdict = checkCallback(message.url, webhooks.allowPrivateHosts);
    if (!verdict.allowed) return { kind: "forbidden", reason: verdict.reason };
    const headers = await this.#headersOf(message);
    return egressProxyUrl === undefined
      ? this.#sendDirectly(message, headers)
      : this.#sendByProxy(egressProxyUrl, message, headers);
  }

  async #sendDirectly(
    { url, body }: WebhookMessage,
    headers: Readonly<Record<string, string>>,
  ): Promise<DeliveryAnswer> {
    return withDeadline(this.#config.webhooks.timeoutMs, async (signal) => {
      try {
        const init = { method: "POST", headers, body, redirect: "manual", signal } as const;
        const response = await fetch(url, init);
        await response.body?.cancel();
        return { kind: "answered", status: response.status };
      } catch {
        return { kind: "failed", reason: signal.aborted ? LATE : UNREACHED };
      }
    });
  }

  async #sendByProxy(
    proxyUrl: string,
    { url, body }: WebhookMessage,
    headers: Readonly<Record<string, string>>,
  ): Promise<DeliveryAnswer> {
    // The proxy has the receiver's time, and a little for itself.
    const timeoutMs = this.#config.webhooks.timeoutMs + PROXY_ALLOWANCE_MS;
    return withDeadline(timeoutMs, async (signal) => {
      const answer = await this.#calls.send({
        method: "POST",
        url: proxyUrl,
        target: DELIVER_PATH,
        body: encoder.encode(JSON.stringify({ url, headers, body })),
        contentType: "application/json",
        signal,
      });
      if (answer.kind !== "answered") {
        return { kind: "failed", reason: "the egress proxy cannot be reached" };
      }
      const { response } = answer;
      await response.body?.cancel();
      const status = Number(response.headers.get(DELIVERED_STATUS_HEADER) ?? Number.NaN);
      if (response.ok && Number.isInteger(status)) return { kind: "answered", status };
      if (response.status === 403) {
        return { kind: "forbidden", reason: "the egress proxy does not let it through" };
      }
      return { kind: "failed", reason: response.status === 504 ? LATE : UNREACHED };
    });
  }

  async #headersOf({
    tenant,
    messageId,
    body,
  }: WebhookMessage): Promise<Readonly<Record<string, string>>> {
    const now = new Date();
    const signatures: string[] = [];
    for (const secret of this.#config.webhooks.secrets) {
      const own = new Webhook(await tenantWebhookSecret(secret, tenant));
      const operators = new Webhook(encoder.encode(secret.secret), { format: "raw" });
      signatures.push(own.sign(messageId, now, body), operators.sign(messageId, now, body));
    }
    return {
      "Content-Type": "application/json",
      "User-Agent": "Bulkhead-Webhooks/1",
      "webhook-id": messageId,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": signatures.join(" "),
    };
  }
}

const PROXY_ALLOWANCE_MS = 2_000;
const LATE = "it did not answer in time";
const UNREACHED = "it cannot be reached";
