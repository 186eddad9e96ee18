/** One step of a schema: runs once for an object's life, whole or not at all. */
export type Migration = (sql: SqlStorage) => void;

/**
 * Brings an object's schema to the last of `steps`, in order, from wherever it stands.
 *
 * Each step and the note that it was done are one transaction, so a step that throws leaves the
 * schema as the step before made it. Steps that shipped are never edited, only followed.
 */
export function migrate(storage: DurableObjectStorage, steps: readonly Migration[]): void {
  const { sql } = storage;
  sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
  const row = sql.exec<{ version: number | null }>(
    "SELECT max(version) AS version FROM schema_version",
  );
  const done = row.one().version ?? 0;
  steps.slice(done).forEach((step, index) => {
    storage.transactionSync(() => {
      step(sql);
      sql.exec("INSERT INTO schema_version (version) VALUES (?)", done + index + 1);
    });
  });
}
