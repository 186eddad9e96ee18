import { DurableObject } from "cloudflare:workers";

import { type Config, configOf } from "../../gateway/config.ts";
import { RENEW_EVERY_MS } from "../../protocol/container-api.ts";
import type {
  CancelAnswer,
  EventPage,
  FollowAnswer,
  FollowRequest,
  JobCalls,
  JobDetails,
  JobIdentity,
  JobStart,
  QueueEnd,
  WebhookDelivery,
} from "../job-contract.ts";
import { jobPrefix } from "../job-contract.ts";
import { callersOf } from "./callers.ts";
import { EventSockets } from "./event-sockets.ts";
import { eventStream } from "./event-stream.ts";
import { JobDriver } from "./job-driver.ts";
import { queueEndText } from "./job-result.ts";
import { JobStore } from "./job-store.ts";
import { Peers } from "./peers.ts";
import { readSpecOf } from "./read-spec.ts";
import { resultName } from "./run-parts.ts";
import { doneChange } from "./settling.ts";
import { Deliveries } from "./webhook-deliveries.ts";
import { deliveryView, redelivered } from "./webhook.ts";

/** Events that one answer to a poller holds at most, and about how long it may be. Characters. */
const PAGE_EVENTS_MAX = 1_000;
const PAGE_CHARS = 1024 * 1024;

/** Longer than one try to tell a callback takes, with the proxy's own time. Milliseconds. */
const TELLING_MS = 75_000;

/** A cancel is answered before its caller gives up; the kill goes on. Milliseconds. */
const CANCEL_ANSWER_MS = 8_000;

/** Between a run's settlement and its `done` are a call's answer and a commit. Milliseconds. */
const CLOSE_WAIT_MS = 2_000;

/** Objects that R2 lists, and deletes, in one call. */
const R2_BATCH = 1_000;

/**
 * One job: its runs, its events, its followers, its webhooks. Named `{tenant}/{job id}`.
 *
 * It is told what to do by its Tenant, drives the run at the executor that was granted, and
 * settles. All it needs to go on after a crash is in its rows; its alarm makes it go on.
 */
export class Job extends DurableObject<Env> implements JobCalls {
  readonly #config: Config;
  readonly #peers: Peers;
  readonly #sockets: EventSockets;
  readonly #job: { readonly tenant: string; readonly jobId: string };
  #store: JobStore;
  #driver: JobDriver;
  #deliveries: Deliveries;
  #alarmAt: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#config = configOf(env);
    this.#peers = new Peers(env);
    const [tenant = "", jobId = ""] = (ctx.id.name ?? "").split("/");
    this.#job = { tenant, jobId };
    this.#sockets = new EventSockets(ctx, () => this.#store);
    [this.#store, this.#driver, this.#deliveries] = this.#assemble();
  }

  /** Takes a run that was granted: resolves once it is committed. */
  async start(start: JobStart): Promise<void> {
    if (!this.#driver.take(start)) return;
    await this.#goOn();
    await this.#store.synced();
  }

  /** Ends the run under way; its end comes as a settlement. Safe to repeat. */
  async cancel(reason: string): Promise<CancelAnswer> {
    const answer = this.#driver.cancel(reason);
    await this.#goOn();
    const { promise: late, resolve } = Promise.withResolvers<CancelAnswer>();
    const timer = setTimeout(() => resolve({ kind: "under_way" }), CANCEL_ANSWER_MS);
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends a job that waits: resolves once its `done` is committed. Safe to repeat. */
  async endInQueue(end: QueueEnd): Promise<void> {
    this.#introduce(end.identity);
    const { record } = this.#store;
    if (record === undefined || record.over !== null) return;
    const spec = await readSpecOf(this.env.ARTIFACTS, end.spec);
    const text = queueEndText(end, spec, record.lastEpoch);
    const value = await this.#store.values.place(resultName(0), text);
    this.#store.commit(doneChange(this.#store, { state: end.state, runId: null, value }));
    await this.#goOn();
    await this.#store.synced();
  }

  /** Deletes all that the job keeps, here and in R2. Its followers are let go. */
  async purge(): Promise<void> {
    this.#driver.detach();
    for (const socket of this.ctx.getWebSockets()) socket.close(1001, "The job was deleted");
    const prefix = jobPrefix(this.#job.tenant, this.#job.jobId);
    for (;;) {
      const { objects, truncated } = await this.env.ARTIFACTS.list({ prefix, limit: R2_BATCH });
      if (objects.length > 0) await this.env.ARTIFACTS.delete(objects.map(({ key }) => key));
      if (!truncated) break;
    }
    await this.ctx.storage.deleteAll();
    this.#alarmAt = null;
    [this.#store, this.#driver, this.#deliveries] = this.#assemble();
  }

  /** Whether the run of this epoch is still to be settled; goes on with it if it stood still. */
  async wake(epoch: number): Promise<boolean> {
    await this.#goOn();
    const { record, closings } = this.#store;
    const phase = record?.phase ?? { kind: "waiting" };
    return (
      (phase.kind !== "waiting" && phase.attempt.epoch === epoch) ||
      closings.some((closing) => closing.epoch === epoch && !closing.isFreed)
    );
  }

  /** Tells the job of itself while it waits, so that its followers are told `queued`. Safe to repeat. */
  async introduce(identity: JobIdentity): Promise<void> {
    this.#introduce(identity);
    await this.#store.synced();
  }

  /**
   * What the Tenant does not know of the job. `isOver`: the Tenant knows that it has ended; then its
   * `done` is on its way, and is waited for a little.
   */
  async details(isOver = false): Promise<JobDetails> {
    if (isOver) await this.#closed();
    const { record, deliveries } = this.#store;
    const text = await this.#resultText();
    return {
      result: text === null ? null : JSON.parse(text),
      resultText: text,
      stats: record?.stats ?? null,
      deliveries: deliveries.map((delivery) => deliveryView(this.#job.jobId, delivery)),
    };
  }

  /** Events after a number, at once, for those who poll. */
  async events(after: number, limit: number = PAGE_EVENTS_MAX): Promise<EventPage> {
    const dropped = this.#dropped(after);
    if (dropped !== undefined) return dropped;
    const events: string[] = [];
    let last = after;
    let chars = 0;
    const most = Math.min(limit, PAGE_EVENTS_MAX);
    while (events.length < most && chars < PAGE_CHARS) {
      const page = this.#store.read(last).slice(0, most - events.length);
      if (page.length === 0) break;
      for (const logged of page) {
        const text = await this.#store.textOf(logged);
        events.push(text);
        chars += text.length;
        last = logged.seq;
      }
    }
    const ended = this.#store.ended && last >= this.#store.lastEvent;
    return { kind: "page", events, last, ended };
  }

  /** Events as bytes, live. A follower that leaves before `done` may end the job by that. */
  follow(request: FollowRequest): FollowAnswer {
    const dropped = this.#dropped(request.after);
    if (dropped !== undefined) return dropped;
    const body = eventStream(this.#store, request, () => {
      if (request.onLeave !== "cancel") return;
      const { tenant, jobId } = this.#job;
      this.ctx.waitUntil(this.#peers.cancelJob(tenant, jobId, "its client has left"));
    });
    return { kind: "following", body };
  }

  /** Follows by WebSocket: `?after=` is the number of the last event that the client has. */
  override fetch(request: Request): Response {
    if (request.headers.get("Upgrade")?.toLowerCase() !== "websocket") {
      return new Response(null, { status: 426, headers: { Upgrade: "websocket" } });
    }
    const text = new URL(request.url).searchParams.get("after") ?? "0";
    const after = /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
    if (after === undefined) return new Response(null, { status: 400 });
    if (this.#dropped(after) !== undefined) return new Response(null, { status: 410 });
    return this.#sockets.accept(after);
  }

  /** Followers have nothing to say; a ping is answered without waking the object. */
  override webSocketMessage(): void {}

  /** Tells the callback again, of all that it was to be told. */
  async redeliver(): Promise<readonly WebhookDelivery[]> {
    const now = Date.now();
    for (const delivery of this.#store.deliveries) {
      if (delivery.state !== "pending")
        this.#store.commit({ delivery: redelivered(delivery, now) });
    }
    await this.#goOn();
    return this.#store.deliveries.map((delivery) => deliveryView(this.#job.jobId, delivery));
  }

  /** Renews the run's leases, tells callbacks, and goes on with what stood still. Safe to repeat. */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    await this.#goOn();
    try {
      await Promise.all([this.#driver.renew(), this.#deliveries.sendDue()]);
    } catch (error) {
      // An alarm that throws is repeated six times and then never again; this one always returns.
      console.error({ event: "job_alarm_failed", ...this.#job, error });
    }
    await this.#setAlarm();
  }

  #assemble(): [JobStore, JobDriver, Deliveries] {
    const { ctx, env } = this;
    const config = this.#config;
    const { containers, isolates, webhooks } = callersOf(config);
    const store = new JobStore(ctx.storage, env.ARTIFACTS, this.#job, config.jobEventsMaxBytes);
    const driver = new JobDriver({
      store,
      peers: this.#peers,
      bucket: env.ARTIFACTS,
      containers,
      isolates,
      leaseMs: config.leaseMs,
    });
    store.onNews = () => this.#sockets.tell();
    return [store, driver, new Deliveries(store, webhooks)];
  }

  #introduce(identity: JobIdentity): void {
    if (this.#store.record !== undefined) return;
    this.#store.commit({
      record: { identity },
      events: [{ type: "queued", position: identity.position }],
    });
  }

  async #closed(): Promise<void> {
    if (this.#store.ended) return;
    await this.#goOn();
    const until = Date.now() + CLOSE_WAIT_MS;
    while (!this.#store.ended && Date.now() < until) {
      await this.#store.news.next(until - Date.now());
    }
  }

  async #resultText(): Promise<string | null> {
    const [last] = this.#store.ended ? this.#store.read(this.#store.lastEvent - 1) : [];
    return last?.valueName === null || last === undefined
      ? null
      : ((await this.#store.values.load(last.valueName)) ?? null);
  }

  /** A follower that has something and lost what comes next cannot go on; one that has nothing can. */
  #dropped(after: number): Extract<EventPage, { kind: "dropped" }> | undefined {
    const oldest = this.#store.oldestEvent;
    return after > 0 && after + 1 < oldest ? { kind: "dropped", oldest } : undefined;
  }

  /** Goes on with the run and with what is to be told. The alarm comes first: it outlives this object. */
  async #goOn(): Promise<void> {
    await this.#setAlarm();
    this.ctx.waitUntil(
      this.#driver.drive().then(async () => {
        await this.#deliveries.sendDue();
        await this.#setAlarm();
      }),
    );
  }

  async #setAlarm(): Promise<void> {
    const now = Date.now();
    const driverAt = this.#driver.hasWork ? now + RENEW_EVERY_MS : Infinity;
    const { nextAt } = this.#deliveries;
    // What is due is being told already; the alarm comes for it only if this object does not.
    const at = Math.min(driverAt, nextAt > now ? nextAt : now + TELLING_MS);
    if (at === Infinity || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }
}
