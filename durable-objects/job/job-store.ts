import type { JobEventBody } from "../../protocol/job.ts";
import { Broadcast } from "./broadcast.ts";
import { droppedGap, EventLog, type LoggedEvent } from "./event-log.ts";
import { type Closing, type DeliveryRow, type JobRecord, JobRows } from "./job-rows.ts";
import { type PlacedValue, Values } from "./values.ts";

/** What one commit changes. */
export interface Change {
  readonly record?: Partial<JobRecord>;
  readonly events?: readonly Exclude<JobEventBody, { type: "done" }>[];
  readonly value?: PlacedValue;
  readonly droppedValue?: string;
  /** Writes `done`, with the named value as its result. Comes after `events`. */
  readonly done?: { readonly state: string; readonly valueName: string };
  readonly closing?: Closing;
  /** Epoch of a closing that is done. */
  readonly closed?: number;
  readonly delivery?: DeliveryRow;
}

/** What a Job keeps: its record, its events, its values. Each `commit` is one transaction. */
export class JobStore {
  readonly news = new Broadcast();
  /** Called when there are new events on disk. */
  onNews: () => void = () => {};
  readonly values: Values;
  readonly #storage: DurableObjectStorage;
  readonly #rows: JobRows;
  readonly #log: EventLog;
  #record: JobRecord | undefined;
  #closings: readonly Closing[];
  #deliveries: readonly DeliveryRow[];
  /** Number of the last event that is on disk; none after it is shown to anybody. */
  #durable: number;

  constructor(
    storage: DurableObjectStorage,
    bucket: R2Bucket,
    job: { readonly tenant: string; readonly jobId: string },
    eventsMaxBytes: number,
  ) {
    this.#storage = storage;
    this.#rows = new JobRows(storage);
    this.#log = new EventLog(storage.sql, eventsMaxBytes);
    this.values = new Values(storage.sql, bucket, job);
    this.#record = this.#rows.record();
    this.#closings = this.#rows.closings();
    this.#deliveries = this.#rows.deliveries();
    this.#durable = this.#log.last;
  }

  /** Undefined until the Job is told of itself. */
  get record(): JobRecord | undefined {
    return this.#record;
  }

  get closings(): readonly Closing[] {
    return this.#closings;
  }

  get deliveries(): readonly DeliveryRow[] {
    return this.#deliveries;
  }

  get oldestEvent(): number {
    return this.#log.oldest;
  }

  /** Whether `done` is written and on disk. */
  get ended(): boolean {
    return this.#log.closed && this.#durable === this.#log.last;
  }

  get lastEvent(): number {
    return this.#durable;
  }

  /** Writes all of a change or, where the storage fails, throws and leaves the object to be made anew. */
  commit(change: Change): void {
    const before = this.#record;
    const record = change.record === undefined ? before : merge(before, change.record);
    const at = new Date().toISOString();
    const last = this.#log.last;
    this.#storage.transactionSync(() => {
      if (record !== undefined && record !== before) this.#rows.saveRecord(record);
      if (change.value !== undefined) this.values.save(change.value);
      if (change.droppedValue !== undefined) this.values.drop(change.droppedValue);
      if (change.events !== undefined) this.#log.append(change.events, at);
      if (change.done !== undefined) this.#log.close({ type: "done", ...change.done }, at);
      if (change.closing !== undefined) this.#rows.saveClosing(change.closing);
      if (change.closed !== undefined) this.#rows.deleteClosing(change.closed);
      if (change.delivery !== undefined) this.#rows.saveDelivery(change.delivery);
    });
    this.#record = record;
    const { closing, closed, delivery } = change;
    if (closing !== undefined) {
      this.#closings = [...this.#closings.filter(({ epoch }) => epoch !== closing.epoch), closing];
    }
    if (closed !== undefined) {
      this.#closings = this.#closings.filter(({ epoch }) => epoch !== closed);
    }
    if (delivery !== undefined) {
      this.#deliveries = [
        ...this.#deliveries.filter(({ event }) => event !== delivery.event),
        delivery,
      ];
    }
    if (this.#log.last > last) void this.synced();
  }

  /** Resolves once all that was committed is on disk; followers are then told. */
  async synced(): Promise<void> {
    const { last } = this.#log;
    await this.#storage.sync();
    if (last <= this.#durable) return;
    this.#durable = last;
    this.news.tell();
    this.onNews();
  }

  /**
   * Events after a number that followers may see, some of them; the first stands for those that
   * are no longer kept.
   */
  read(after: number): readonly LoggedEvent[] {
    const dropped = this.#log.oldest - 1;
    const at = new Date().toISOString();
    const gap = after < dropped ? [droppedGap(after + 1, dropped, at)] : [];
    const kept = this.#log.read(Math.max(after, dropped));
    return [...gap, ...kept.filter(({ seq }) => seq <= this.#durable)];
  }

  /** An event's whole text. */
  async textOf({ text, valueName }: LoggedEvent): Promise<string> {
    if (valueName === null) return text;
    return `${text}${(await this.values.load(valueName)) ?? "null"}}`;
  }
}

function merge(record: JobRecord | undefined, changes: Partial<JobRecord>): JobRecord {
  const { identity } = changes;
  if (record !== undefined) return { ...record, ...changes };
  if (identity === undefined) throw new TypeError("Cannot keep a job: it was told of no identity");
  return {
    identity,
    spec: null,
    phase: { kind: "waiting" },
    lastEpoch: 0,
    startedAt: null,
    stats: null,
    over: null,
    ...changes,
  };
}
