import { migrate, type Migration } from "../migrations.ts";

/** What an operator did; never a secret, and nothing of a tenant's work. */
export interface Change {
  readonly action: "key.create" | "key.revoke" | "overrides.set" | "overrides.clear";
  readonly tenant: string;
  /** A key id, or empty. */
  readonly subject: string;
}

interface RegisteredTenant {
  readonly tenant: string;
  readonly registeredAt: string;
}

export interface TenantPage {
  readonly tenants: readonly RegisteredTenant[];
  /** Where the next page begins; null after the last. */
  readonly cursor: string | null;
}

/** Older changes make room for newer ones. */
export const CHANGES_KEPT = 10_000;

const MIGRATIONS: readonly Migration[] = [
  (sql) => {
    sql.exec("CREATE TABLE tenants (tenant TEXT PRIMARY KEY, registered_at TEXT NOT NULL)");
    sql.exec(`CREATE TABLE changes (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      at TEXT NOT NULL,
      action TEXT NOT NULL,
      tenant TEXT NOT NULL,
      subject TEXT NOT NULL
    )`);
  },
];

/** The Control object's rows. */
export class ControlRows {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    migrate(storage, MIGRATIONS);
  }

  register(tenant: string, at: string): void {
    this.#sql.exec(
      "INSERT INTO tenants (tenant, registered_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      tenant,
      at,
    );
  }

  log({ action, tenant, subject }: Change, at: string): void {
    this.#sql.exec(
      "INSERT INTO changes (at, action, tenant, subject) VALUES (?, ?, ?, ?)",
      at,
      action,
      tenant,
      subject,
    );
    this.#sql.exec(
      "DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?",
      CHANGES_KEPT,
    );
  }

  tenants(cursor: string, limit: number): TenantPage {
    const rows = this.#sql
      .exec<{ tenant: string; registeredAt: string }>(
        `SELECT tenant, registered_at AS registeredAt FROM tenants
         WHERE tenant > ? ORDER BY tenant LIMIT ?`,
        cursor,
        limit + 1,
      )
      .toArray();
    const tenants = rows.slice(0, limit);
    return { tenants, cursor: rows.length > limit ? (tenants.at(-1)?.tenant ?? null) : null };
  }

  changes(limit: number): readonly (Change & { readonly at: string })[] {
    return this.#sql
      .exec<{ at: string; action: Change["action"]; tenant: string; subject: string }>(
        "SELECT at, action, tenant, subject FROM changes ORDER BY seq DESC LIMIT ?",
        limit,
      )
      .toArray();
  }
}
