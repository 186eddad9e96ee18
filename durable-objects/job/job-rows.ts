import type { ContainerStats } from "../../protocol/container-api.ts";
import type { JobState } from "../../protocol/job.ts";
import type { ExecutorAddress, JobIdentity, LaneSettlement, QueuedLane } from "../job-contract.ts";
import type { SpecPlace } from "../job-contract.ts";
import { migrate, type Migration } from "../migrations.ts";
import type { Phase } from "./job-state.ts";

/** The Job object's schema, by steps. */
const JOB_MIGRATIONS: readonly Migration[] = [
  (sql) => {
    sql.exec(`CREATE TABLE job (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      record TEXT NOT NULL
    )`);
    sql.exec(`CREATE TABLE events (
      first INTEGER PRIMARY KEY,
      last INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      written INTEGER NOT NULL,
      text TEXT NOT NULL,
      value_name TEXT
    )`);
    sql.exec("CREATE TABLE value_texts (name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID");
    sql.exec("CREATE TABLE closings (epoch INTEGER PRIMARY KEY, closing TEXT NOT NULL)");
    sql.exec(
      "CREATE TABLE deliveries (event TEXT PRIMARY KEY, delivery TEXT NOT NULL) WITHOUT ROWID",
    );
  },
];

/** What a Job knows of itself. */
export interface JobRecord {
  readonly identity: JobIdentity;
  readonly spec: SpecPlace | null;
  readonly phase: Phase;
  /** The highest epoch that it was started with. */
  readonly lastEpoch: number;
  readonly startedAt: number | null;
  readonly stats: ContainerStats | null;
  /** Set with `done`. */
  readonly over: { readonly state: JobState; readonly at: number } | null;
}

/** A run that is settled with the Tenant: its executor and its Lane are still to be told. */
export interface Closing {
  readonly epoch: number;
  readonly runId: string;
  readonly lane: QueuedLane;
  readonly executor: ExecutorAddress;
  /** `kill`: another run of the job was granted over its head, so it must first be dead. */
  readonly atExecutor: "nothing" | "ack" | "kill";
  readonly settlement: LaneSettlement;
  /** The Lane was told. */
  readonly isFreed: boolean;
  /** Until when an executor that is out of reach is asked to free its record. */
  readonly ackUntil: number;
  /** By when a run that is to be killed has ended itself, its lease not renewed. */
  readonly deadBy: number;
}

/** How the telling of one event to the callback stands. */
export interface DeliveryRow {
  readonly event: "started" | "done";
  readonly at: number;
  readonly runId: string | null;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  /** Since the delivery began or was asked for again: where in the plan of retries it is. */
  readonly tries: number;
  readonly nextAt: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly lastAt: number | null;
}

/** A job's rows, but for its events and values. What is read was written here, so it is not checked again. */
export class JobRows {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    migrate(storage, JOB_MIGRATIONS);
  }

  record(): JobRecord | undefined {
    const [row] = this.#storage.sql
      .exec<{ record: string }>("SELECT record FROM job WHERE id = 1")
      .toArray();
    return row === undefined ? undefined : (JSON.parse(row.record) as JobRecord);
  }

  saveRecord(record: JobRecord): void {
    const text = JSON.stringify(record);
    this.#storage.sql.exec("INSERT OR REPLACE INTO job (id, record) VALUES (1, ?)", text);
  }

  closings(): readonly Closing[] {
    return this.#storage.sql
      .exec<{ closing: string }>("SELECT closing FROM closings ORDER BY epoch")
      .toArray()
      .map(({ closing }) => JSON.parse(closing) as Closing);
  }

  saveClosing(closing: Closing): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO closings (epoch, closing) VALUES (?, ?)",
      closing.epoch,
      JSON.stringify(closing),
    );
  }

  deleteClosing(epoch: number): void {
    this.#storage.sql.exec("DELETE FROM closings WHERE epoch = ?", epoch);
  }

  deliveries(): readonly DeliveryRow[] {
    return this.#storage.sql
      .exec<{ delivery: string }>("SELECT delivery FROM deliveries ORDER BY event DESC")
      .toArray()
      .map(({ delivery }) => JSON.parse(delivery) as DeliveryRow);
  }

  saveDelivery(delivery: DeliveryRow): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO deliveries (event, delivery) VALUES (?, ?)",
      delivery.event,
      JSON.stringify(delivery),
    );
  }
}
