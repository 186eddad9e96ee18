import type { ExecutorAddress } from "../job-contract.ts";
import { migrate, type Migration } from "../migrations.ts";

const LANE_MIGRATIONS: readonly Migration[] = [
  (sql) => {
    sql.exec(`CREATE TABLE grants (
      epoch INTEGER PRIMARY KEY,
      tenant TEXT NOT NULL,
      executor TEXT NOT NULL,
      url TEXT NOT NULL,
      granted_at INTEGER NOT NULL
    )`);
    sql.exec("CREATE TABLE tenants (tenant TEXT PRIMARY KEY) WITHOUT ROWID");
    sql.exec("CREATE TABLE epochs (reserved INTEGER NOT NULL)");
    sql.exec("INSERT INTO epochs (reserved) VALUES (0)");
  },
];

/** Epochs are reserved so many at a time; those that are left when an object dies are never used. */
const EPOCHS_RESERVED = 1_000;

/** A slot that is given away. */
export interface GrantRow {
  readonly epoch: number;
  readonly tenant: string;
  readonly executor: ExecutorAddress;
  readonly grantedAt: number;
}

/**
 * A lane's rows: the slots that are given away, and the tenants that may have work. A job costs
 * two row writes here, one for its grant and one for its end; a tenant one when it begins to have
 * work and one when it has had none for a while.
 */
export class LaneRows {
  readonly #storage: DurableObjectStorage;
  #nextEpoch: number;
  #reserved: number;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    migrate(storage, LANE_MIGRATIONS);
    const { reserved } = storage.sql
      .exec<{ reserved: number }>("SELECT reserved FROM epochs")
      .one();
    this.#reserved = reserved;
    this.#nextEpoch = reserved + 1;
  }

  grants(): readonly GrantRow[] {
    return this.#storage.sql
      .exec<{ epoch: number; tenant: string; executor: string; url: string; granted_at: number }>(
        "SELECT epoch, tenant, executor, url, granted_at FROM grants ORDER BY epoch",
      )
      .toArray()
      .map(({ epoch, tenant, executor, url, granted_at }) => ({
        epoch,
        tenant,
        executor: { name: executor, url },
        grantedAt: granted_at,
      }));
  }

  tenants(): readonly string[] {
    return this.#storage.sql
      .exec<{ tenant: string }>("SELECT tenant FROM tenants")
      .toArray()
      .map(({ tenant }) => tenant);
  }

  /** A number that no grant of this lane ever had. */
  nextEpoch(): number {
    if (this.#nextEpoch > this.#reserved) {
      const reserved = this.#reserved + EPOCHS_RESERVED;
      this.#storage.sql.exec("UPDATE epochs SET reserved = ?", reserved);
      this.#reserved = reserved;
    }
    return this.#nextEpoch++;
  }

  insertGrants(grants: readonly GrantRow[]): void {
    this.#storage.transactionSync(() => {
      for (const { epoch, tenant, executor, grantedAt } of grants) {
        this.#storage.sql.exec(
          "INSERT INTO grants (epoch, tenant, executor, url, granted_at) VALUES (?, ?, ?, ?, ?)",
          epoch,
          tenant,
          executor.name,
          executor.url,
          grantedAt,
        );
      }
    });
  }

  deleteGrants(epochs: readonly number[]): void {
    for (const epoch of epochs) {
      this.#storage.sql.exec("DELETE FROM grants WHERE epoch = ?", epoch);
    }
  }

  addTenant(tenant: string): void {
    this.#storage.sql.exec("INSERT OR IGNORE INTO tenants (tenant) VALUES (?)", tenant);
  }

  deleteTenant(tenant: string): void {
    this.#storage.sql.exec("DELETE FROM tenants WHERE tenant = ?", tenant);
  }
}
