import type { DeliveryRow } from "./job-rows.ts";
import type { JobStore } from "./job-store.ts";
import { resultName } from "./run-parts.ts";
import type { WebhookSender } from "./webhook-sender.ts";
import { afterTry, messageIdOf, webhookBody } from "./webhook.ts";

/** Tells a job's callback what it is to be told, each event as often as it takes. */
export class Deliveries {
  readonly #store: JobStore;
  readonly #sender: WebhookSender;
  readonly #underWay = new Set<DeliveryRow["event"]>();

  constructor(store: JobStore, sender: WebhookSender) {
    this.#store = store;
    this.#sender = sender;
  }

  /** When the next try is due; Infinity where none is. */
  get nextAt(): number {
    return Math.min(...this.#store.deliveries.map(({ nextAt }) => nextAt ?? Infinity), Infinity);
  }

  /** Makes the tries that are due. Safe to repeat: a receiver tells repeats by the message's id. */
  async sendDue(): Promise<void> {
    const now = Date.now();
    const due = this.#store.deliveries.filter(
      ({ event, nextAt }) => nextAt !== null && nextAt <= now && !this.#underWay.has(event),
    );
    await Promise.all(due.map((delivery) => this.#try(delivery)));
  }

  async #try(delivery: DeliveryRow): Promise<void> {
    const { record } = this.#store;
    const callback = record?.identity.callback ?? null;
    if (record === undefined || callback === null) return;
    const { event } = delivery;
    this.#underWay.add(event);
    try {
      const { tenant, jobId } = record.identity;
      const body = webhookBody(record, delivery, await this.#resultText(delivery));
      const messageId = messageIdOf(jobId, event);
      const answer = await this.#sender.send({ url: callback.url, tenant, messageId, body });
      const next = afterTry(delivery, answer, Date.now(), Math.random());
      this.#store.commit({ delivery: next });
      if (next.state === "failed") {
        const { lastError: reason } = next;
        console.warn({ event: "webhook_failed", tenant, jobId, message: messageId, reason });
      }
    } finally {
      this.#underWay.delete(event);
    }
  }

  async #resultText({ event, runId }: DeliveryRow): Promise<string | undefined> {
    if (event !== "done") return undefined;
    const epoch = runId === null ? 0 : Number(runId.slice(runId.lastIndexOf(".") + 1));
    return this.#store.values.load(resultName(epoch));
  }
}
