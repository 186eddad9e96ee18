import { afterEach, describe, expect, it, vi } from "vitest";

import { OPERATIONS } from "../../gateway/documents/operations.ts";
import { bearer, call, ended, newKey, playExecutors, postRun, setOverrides } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a key of tenant B", () => {
  it("sees on every route that takes a key nothing of tenant A", async () => {
    const a = await newKey();
    const b = await newKey();
    await setOverrides(a.tenant, { maxConcurrent: 54_321 });
    playExecutors(ended({ stdout: "of-a" }));
    await postRun(a.key);
    vi.restoreAllMocks();
    playExecutors(ended({ stdout: "of-b" }));

    for (const { method, path, access, body } of OPERATIONS) {
      if (access !== "key") continue;
      const response = await call(path, {
        method: method.toUpperCase(),
        headers: { ...bearer(b.key), "Content-Type": "application/json", "X-Tenant": a.tenant },
        ...(body === undefined ? {} : { body: JSON.stringify(body.example) }),
      });
      const answer = `${path}: ${await response.text()}`;
      expect(answer).not.toContain(a.tenant);
      expect(answer).not.toContain("of-a");
      expect(answer).not.toContain("54321");
    }
  });

  it("opens none of the operator's routes, of its own tenant or another", async () => {
    const a = await newKey();
    const b = await newKey();
    for (const { method, path, access, body } of OPERATIONS) {
      if (access !== "admin") continue;
      for (const { tenant, keyId } of [a, b]) {
        const target = path.replace("{id}", tenant).replace("{keyId}", keyId);
        const response = await call(target, {
          method: method.toUpperCase(),
          headers: bearer(b.key),
          ...(body === undefined ? {} : { body: JSON.stringify(body.example) }),
        });
        expect([target, response.status]).toEqual([target, 401]);
      }
    }
    expect((await call("/v1/limits", { headers: bearer(a.key) })).status).toBe(200);
  });

  it("leaves tenant A's rate, places and use as they were", async () => {
    const a = await newKey();
    const b = await newKey();
    playExecutors(ended());
    for (let i = 0; i < 5; i++) await postRun(b.key);
    const { headers } = await postRun(a.key);
    expect(headers.get("RateLimit")).toContain('"tenant";r=99');
    const usage = await call("/v1/usage", { headers: bearer(a.key) });
    expect(await usage.json()).toMatchObject({ tenant: a.tenant, usage: [{ runs: 1 }] });
  });

  it("cannot name its tenant in the body", async () => {
    const a = await newKey();
    const b = await newKey();
    const seen = playExecutors(ended());
    const body = { language: "javascript", code: "1", tenant: a.tenant };
    expect((await postRun(b.key, body)).status).toBe(400);
    await postRun(b.key);
    expect(seen[0]?.body).toContain(`"tenant":"${b.tenant}"`);
  });
});
