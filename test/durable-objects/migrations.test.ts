import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

import { migrate, type Migration } from "../../durable-objects/migrations.ts";

/** Storage to migrate that belongs to an object of no other test. */
const inStorage = (test: (storage: DurableObjectStorage) => void): Promise<void> =>
  runInDurableObject(env.CONTROL.getByName(crypto.randomUUID()), (_, state) => {
    for (const table of ["tenants", "changes", "schema_version"]) {
      state.storage.sql.exec(`DROP TABLE ${table}`);
    }
    test(state.storage);
  });

const first: Migration = (sql) => {
  sql.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
};
const second: Migration = (sql) => {
  sql.exec("ALTER TABLE notes ADD COLUMN author TEXT NOT NULL DEFAULT 'nobody'");
};

it("upgrades a schema step by step, keeping its rows", () =>
  inStorage((storage) => {
    migrate(storage, [first]);
    storage.sql.exec("INSERT INTO notes (body) VALUES ('kept')");
    migrate(storage, [first, second]);
    expect(storage.sql.exec("SELECT body, author FROM notes").toArray()).toEqual([
      { body: "kept", author: "nobody" },
    ]);
  }));

it("runs each step once", () =>
  inStorage((storage) => {
    migrate(storage, [first, second]);
    migrate(storage, [first, second]);
    expect(storage.sql.exec("SELECT version FROM schema_version").toArray()).toEqual([
      { version: 1 },
      { version: 2 },
    ]);
  }));

it("leaves a schema as it was before the step that failed", () =>
  inStorage((storage) => {
    const broken: Migration = (sql) => {
      sql.exec("DROP TABLE notes");
      throw new RangeError("cannot go on");
    };
    migrate(storage, [first]);
    expect(() => migrate(storage, [first, broken])).toThrow("cannot go on");
    expect(storage.sql.exec("SELECT count(*) AS n FROM notes").toArray()).toEqual([{ n: 0 }]);
    migrate(storage, [first, second]);
    expect(storage.sql.exec("SELECT author FROM notes").toArray()).toEqual([]);
  }));
