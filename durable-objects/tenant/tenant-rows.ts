import {
  KeyInfo,
  NO_OVERRIDES,
  TenantOverrides,
  type TenantPolicy,
} from "../../protocol/tenant.ts";
import type { Usage } from "../../protocol/tenant.ts";
import { migrate, type Migration } from "../migrations.ts";
import { QUEUE_MIGRATION } from "../queue/job-rows.ts";

/** The Tenant object's schema, by steps. */
const TENANT_MIGRATIONS: readonly Migration[] = [
  (sql) => {
    sql.exec(`CREATE TABLE keys (
      key_id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      scopes TEXT NOT NULL,
      rate TEXT NOT NULL,
      created_at TEXT NOT NULL,
      expires_at TEXT,
      revoked_at TEXT
    )`);
    sql.exec(`CREATE TABLE policy (
      version INTEGER PRIMARY KEY,
      overrides TEXT NOT NULL
    )`);
    sql.exec(`CREATE TABLE usage (
      day TEXT NOT NULL,
      lane TEXT NOT NULL,
      runs INTEGER NOT NULL,
      cpu_ms REAL NOT NULL,
      wall_ms REAL NOT NULL,
      PRIMARY KEY (day, lane)
    ) WITHOUT ROWID`);
  },
  QUEUE_MIGRATION,
];

/** How long metered use is kept. */
export const USAGE_DAYS_KEPT = 400;

interface KeyRow extends Record<string, SqlStorageValue> {
  readonly key_id: string;
  readonly name: string;
  readonly scopes: string;
  readonly rate: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

/** A tenant's rows: the few statements that its object makes. */
export class TenantRows {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    migrate(storage, TENANT_MIGRATIONS);
  }

  keys(): readonly KeyInfo[] {
    return this.#storage.sql
      .exec<KeyRow>("SELECT * FROM keys ORDER BY created_at, key_id")
      .toArray()
      .map((row) =>
        KeyInfo.parse({
          keyId: row.key_id,
          name: row.name,
          scopes: JSON.parse(row.scopes),
          rate: JSON.parse(row.rate),
          createdAt: row.created_at,
          expiresAt: row.expires_at,
          revokedAt: row.revoked_at,
        }),
      );
  }

  insertKey(key: KeyInfo): void {
    this.#storage.sql.exec(
      "INSERT INTO keys (key_id, name, scopes, rate, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
      key.keyId,
      key.name,
      JSON.stringify(key.scopes),
      JSON.stringify(key.rate),
      key.createdAt,
      key.expiresAt,
    );
  }

  revokeKey(keyId: string, revokedAt: string): void {
    this.#storage.sql.exec("UPDATE keys SET revoked_at = ? WHERE key_id = ?", revokedAt, keyId);
  }

  deleteKey(keyId: string): void {
    this.#storage.sql.exec("DELETE FROM keys WHERE key_id = ?", keyId);
  }

  policy(): TenantPolicy {
    const [row] = this.#storage.sql
      .exec<{ version: number; overrides: string }>("SELECT version, overrides FROM policy")
      .toArray();
    if (row === undefined) return NO_OVERRIDES;
    return {
      version: row.version,
      overrides: TenantOverrides.parse(JSON.parse(row.overrides)),
    };
  }

  savePolicy({ version, overrides }: TenantPolicy): void {
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec("DELETE FROM policy");
      this.#storage.sql.exec(
        "INSERT INTO policy (version, overrides) VALUES (?, ?)",
        version,
        JSON.stringify(overrides),
      );
    });
  }

  /** Totals of the days since `day`, that day included. */
  usageSince(day: string): readonly Usage[] {
    return this.#storage.sql
      .exec<{ day: string; lane: string; runs: number; cpuMs: number; wallMs: number }>(
        `SELECT day, lane, runs, cpu_ms AS cpuMs, wall_ms AS wallMs
         FROM usage WHERE day >= ? ORDER BY day, lane`,
        day,
      )
      .toArray();
  }

  /** Writes totals over the ones before, so that writing twice counts once; drops days before `oldest`. */
  saveUsage(totals: readonly Usage[], oldest: string): void {
    this.#storage.transactionSync(() => {
      for (const { day, lane, runs, cpuMs, wallMs } of totals) {
        this.#storage.sql.exec(
          `INSERT INTO usage (day, lane, runs, cpu_ms, wall_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (day, lane) DO UPDATE SET
             runs = excluded.runs, cpu_ms = excluded.cpu_ms, wall_ms = excluded.wall_ms`,
          day,
          lane,
          runs,
          cpuMs,
          wallMs,
        );
      }
      this.#storage.sql.exec("DELETE FROM usage WHERE day < ?", oldest);
    });
  }
}
