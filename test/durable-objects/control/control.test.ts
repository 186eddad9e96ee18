import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

import { CHANGES_KEPT } from "../../../durable-objects/control/control-rows.ts";

const newControl = () => env.CONTROL.getByName(crypto.randomUUID());

it("registers a tenant with its first key, once", async () => {
  const control = newControl();
  await control.note({ action: "overrides.set", tenant: "unknown", subject: "" });
  await control.note({ action: "key.create", tenant: "acme", subject: "k1" });
  await control.note({ action: "key.create", tenant: "acme", subject: "k2" });
  await evictDurableObject(control);
  const { tenants, cursor } = await control.tenants("", 10);
  expect(tenants.map(({ tenant }) => tenant)).toEqual(["acme"]);
  expect(cursor).toBeNull();
});

it("lists tenants page by page", async () => {
  const control = newControl();
  for (const tenant of ["c", "a", "b"]) {
    await control.note({ action: "key.create", tenant, subject: "k" });
  }
  const first = await control.tenants("", 2);
  expect(first.tenants.map(({ tenant }) => tenant)).toEqual(["a", "b"]);
  expect(first.cursor).toBe("b");
  const second = await control.tenants("b", 2);
  expect(second).toMatchObject({ tenants: [{ tenant: "c" }], cursor: null });
});

it("logs who was changed and how, newest first", async () => {
  const control = newControl();
  await control.note({ action: "key.create", tenant: "acme", subject: "k1" });
  await control.note({ action: "key.revoke", tenant: "acme", subject: "k1" });
  expect(await control.changes(10)).toMatchObject([
    { action: "key.revoke", tenant: "acme", subject: "k1" },
    { action: "key.create", tenant: "acme", subject: "k1" },
  ]);
});

it("keeps no more changes than promised", async () => {
  const control = newControl();
  await runInDurableObject(control, (instance, state) => {
    state.storage.sql.exec(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${CHANGES_KEPT})
       INSERT INTO changes (at, action, tenant, subject) SELECT '', 'key.create', 't', '' FROM n`,
    );
    instance.note({ action: "key.revoke", tenant: "t", subject: "last" });
    const { n } = state.storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM changes").one();
    expect(n).toBe(CHANGES_KEPT);
    expect(instance.changes(1)).toMatchObject([{ subject: "last" }]);
  });
});
