import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import ivm from "isolated-vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { buildGuest, GUEST_FILENAME, readGuest } from "../../../sandbox-worker/build-guest.ts";

let folder: string;
beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), "bulkhead-build-")), "guest");
});
afterEach(async () => {
  await rm(path.dirname(folder), { recursive: true });
});

describe("the guest runtime's build", () => {
  test("makes one bundle and one code cache, named by what is in them", async () => {
    const guest = await buildGuest(folder);
    expect(await readdir(folder)).toEqual(
      [guest.bundlePath, guest.cachePath ?? ""].map((file) => path.basename(file)).toSorted(),
    );
    expect(path.basename(guest.bundlePath)).toBe(`guest-${guest.version}.js`);
    expect(guest.cachePath).toContain(process.versions.v8);
  });

  test("leaves what is there alone, and leaves no drafts", async () => {
    const first = await buildGuest(folder);
    const before = await stat(first.bundlePath);
    const [second, third] = await Promise.all([buildGuest(folder), buildGuest(folder)]);
    expect([second, third]).toEqual([first, first]);
    expect((await stat(first.bundlePath)).mtimeMs).toBe(before.mtimeMs);
    expect((await readdir(folder)).length).toBe(2);
  });

  test("makes a lost cache again", async () => {
    const { cachePath } = await buildGuest(folder);
    await rm(cachePath ?? "");
    expect((await buildGuest(folder)).cachePath).toBe(cachePath);
  });

  test("makes a cache that V8 takes in an isolate, and one it can do without", async () => {
    const { code, cache } = await readGuest(await buildGuest(folder));
    const isolate = new ivm.Isolate();
    try {
      const compile = (bytes: Uint8Array | null): unknown =>
        isolate.compileScriptSync(code, {
          filename: GUEST_FILENAME,
          ...(bytes === null
            ? {}
            : { cachedData: new ivm.ExternalCopy(new Uint8Array(bytes).buffer) }),
        });
      expect(cache?.length).toBeGreaterThan(10_000);
      expect(compile(cache)).toMatchObject({ cachedDataRejected: false });
      expect(compile(new Uint8Array(100))).toMatchObject({ cachedDataRejected: true });
    } finally {
      isolate.dispose();
    }
  });

  test("bundles no part of the host, no schema library, and no names of this machine", async () => {
    const { bundlePath } = await buildGuest(folder);
    const code = await readFile(bundlePath, "utf8");
    expect(code.length).toBeLessThan(400_000);
    expect(code).not.toMatch(/ZodType|node:fs|isolated-vm|process\.env/);
    expect(code).not.toContain(path.resolve(import.meta.dirname, "../../.."));
  });
});
