import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";

import { z } from "zod";

import { ContainerCaps, ContainerResult, ContainerRuntime } from "../../protocol/container-api.ts";

/** For how long an acknowledged run's id is remembered, so that it never runs again. Milliseconds. */
export const REMEMBERED_MS = 48 * 60 * 60 * 1000;

/** What of an order outlives its start: nothing the tenant's program reads, so no secret of its. */
export const RunSpec = z.strictObject({
  runId: z.string(),
  tenant: z.string(),
  /** Its runtime or, with an image of the tenant's choice, null. */
  runtime: ContainerRuntime.nullable(),
  artifacts: z.array(z.string()),
  caps: ContainerCaps,
  wantsValue: z.boolean(),
  net: z.array(z.string()),
});
export type RunSpec = z.infer<typeof RunSpec>;

/**
 * How far a run got, as far as the next life of this service must know.
 *
 * `taken`: none of its code ran. `sent`: some may have. `fed`: its container has all that it needs,
 * and goes on without us. `ended`: its result stands. `acked`: only its id is kept.
 */
export type JournalPhase = "taken" | "sent" | "fed" | "ended" | "acked";

/** The container that a run has, with what an adopting service must show its init. */
export interface JournalContainer {
  readonly id: string;
  readonly syncKey: Uint8Array | null;
  readonly spare: boolean;
}

/** Times are of the machine's monotonic clock, which goes on over restarts of the service. */
export interface JournalRun {
  readonly spec: RunSpec;
  readonly phase: Exclude<JournalPhase, "acked">;
  readonly container: JournalContainer | null;
  readonly takenAtMs: number;
  readonly startedAtMs: number | null;
  readonly renewedAtMs: number;
  /** Of the boot that the times belong to. */
  readonly hostBoot: string;
  readonly result: ContainerResult | null;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    phase TEXT NOT NULL,
    spec TEXT NOT NULL,
    container_id TEXT,
    sync_key BLOB,
    spare INTEGER NOT NULL DEFAULT 0,
    taken_at REAL NOT NULL,
    started_at REAL,
    renewed_at REAL NOT NULL,
    host_boot TEXT NOT NULL,
    result TEXT,
    acked_at REAL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS acked ON runs (acked_at) WHERE acked_at IS NOT NULL;
`;

/**
 * Which runs this executor took and how they ended, on disk: each change is there when its method
 * returns, whatever then happens to the process. That a run was taken outlives the machine's power,
 * too; what is said of it later does so within moments. Owned by one process at a time.
 */
export class Journal {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(folder: string) {
    this.#db = new DatabaseSync(join(folder, "journal.db"));
    // A second process on the same journal would run what the first one runs.
    this.#db.exec("PRAGMA locking_mode = EXCLUSIVE;");
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    this.#db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
  }

  /** The phase of a run ever taken, or undefined. */
  phaseOf(runId: string): JournalPhase | undefined {
    const row = this.#run("SELECT phase FROM runs WHERE run_id = ?").get(runId);
    return row?.["phase"] as JournalPhase | undefined;
  }

  /** Takes a run, with the container that it goes to where there is one already. */
  take(spec: RunSpec, container: JournalContainer | null, nowMs: number, hostBoot: string): void {
    this.#db.exec("PRAGMA synchronous = FULL");
    this.#run(
      `INSERT INTO runs (run_id, phase, spec, container_id, sync_key, spare, taken_at, renewed_at, host_boot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      spec.runId,
      container === null ? "taken" : "sent",
      JSON.stringify(spec),
      container?.id ?? null,
      container?.syncKey ?? null,
      container?.spare === true ? 1 : 0,
      nowMs,
      nowMs,
      hostBoot,
    );
    this.#db.exec("PRAGMA synchronous = NORMAL");
  }

  /** Says, before the job is sent there, which container a run has. */
  sent(runId: string, container: JournalContainer): void {
    this.#run(
      "UPDATE runs SET phase = 'sent', container_id = ?, sync_key = ?, spare = ? WHERE run_id = ?",
    ).run(container.id, container.syncKey, container.spare ? 1 : 0, runId);
  }

  started(runId: string, atMs: number): void {
    this.#run("UPDATE runs SET started_at = ? WHERE run_id = ?").run(atMs, runId);
  }

  fed(runId: string): void {
    this.#run("UPDATE runs SET phase = 'fed' WHERE run_id = ? AND phase = 'sent'").run(runId);
  }

  renewed(runId: string, atMs: number): void {
    this.#run("UPDATE runs SET renewed_at = ? WHERE run_id = ?").run(atMs, runId);
  }

  ended(runId: string, result: ContainerResult): void {
    this.#run("UPDATE runs SET phase = 'ended', result = ? WHERE run_id = ?").run(
      JSON.stringify(result),
      runId,
    );
  }

  /** Frees all but the id. `wallMs` is the calendar's time, by which ids are forgotten. */
  acked(runId: string, wallMs: number): void {
    this.#run(
      `UPDATE runs SET phase = 'acked', spec = '', result = NULL, container_id = NULL,
       sync_key = NULL, acked_at = ? WHERE run_id = ?`,
    ).run(wallMs, runId);
  }

  /** Every run that is not acknowledged. */
  open(): readonly JournalRun[] {
    const rows = this.#run("SELECT * FROM runs WHERE phase <> 'acked' ORDER BY taken_at").all();
    return rows.map((row) => readRow(row));
  }

  /** Forgets ids acknowledged long ago. */
  forget(wallMs: number): void {
    this.#run("DELETE FROM runs WHERE acked_at < ?").run(wallMs - REMEMBERED_MS);
  }

  close(): void {
    this.#db.close();
  }

  #run(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function readRow(row: Readonly<Record<string, unknown>>): JournalRun {
  const text = (name: string): string => String(row[name]);
  const orNull = <T>(name: string, read: (value: unknown) => T): T | null =>
    row[name] === null ? null : read(row[name]);
  const containerId = orNull("container_id", String);
  return {
    spec: RunSpec.parse(JSON.parse(text("spec"))),
    phase: z.enum(["taken", "sent", "fed", "ended"]).parse(row["phase"]),
    container:
      containerId === null
        ? null
        : {
            id: containerId,
            syncKey: orNull("sync_key", (value) => new Uint8Array(value as Uint8Array)),
            spare: row["spare"] === 1,
          },
    takenAtMs: Number(row["taken_at"]),
    startedAtMs: orNull("started_at", Number),
    renewedAtMs: Number(row["renewed_at"]),
    hostBoot: text("host_boot"),
    result: orNull("result", (value) => ContainerResult.parse(JSON.parse(String(value)))),
  };
}
