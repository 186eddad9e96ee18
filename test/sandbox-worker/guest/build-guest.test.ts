import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import ivm from "isolated-vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { buildGuest, GUEST_FILENAME, readScript } from "../../../sandbox-worker/build-guest.ts";

let folder: string;
beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), "bulkhead-build-")), "guest");
});
afterEach(async () => {
  await rm(path.dirname(folder), { recursive: true });
});

describe("the guest runtime's build", () => {
  test("makes two scripts and their code caches, named by what is in them", async () => {
    const { core, library, version } = await buildGuest(folder);
    expect((await readdir(folder)).toSorted()).toEqual(
      [core, library]
        .flatMap(({ path: file, cachePath }) => [file, cachePath ?? ""])
        .map((file) => path.basename(file))
        .toSorted(),
    );
    expect(path.basename(core.path)).toBe(`guest-${version}-core.js`);
    expect(path.basename(library.path)).toBe(`guest-${version}-library.js`);
    expect(core.cachePath).toContain(process.versions.v8);
  });

  test("leaves what is there alone, and leaves no drafts", async () => {
    const first = await buildGuest(folder);
    const before = await stat(first.core.path);
    const [second, third] = await Promise.all([buildGuest(folder), buildGuest(folder)]);
    expect([second, third]).toEqual([first, first]);
    expect((await stat(first.core.path)).mtimeMs).toBe(before.mtimeMs);
    expect((await readdir(folder)).length).toBe(4);
  });

  test.each(["core", "library"] as const)("makes a lost cache of the %s again", async (script) => {
    const before = await buildGuest(folder);
    await rm(before[script].cachePath ?? "");
    expect(await buildGuest(folder)).toEqual(before);
    expect((await readdir(folder)).length).toBe(4);
  });

  test.each(["core", "library"] as const)(
    "makes a cache of the %s that V8 takes in an isolate, and one it can do without",
    async (script) => {
      const { code, cache } = await readScript((await buildGuest(folder))[script]);
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
    },
  );

  test("bundles no part of the host, no schema library, and no names of this machine", async () => {
    const { core, library } = await buildGuest(folder);
    for (const file of [core.path, library.path]) {
      const code = await readFile(file, "utf8");
      expect(code.length).toBeLessThan(400_000);
      expect(code).not.toMatch(/ZodType|node:fs|isolated-vm|process\.env/);
      expect(code).not.toContain(path.resolve(import.meta.dirname, "../../.."));
    }
  });

  test("keeps in the core what most runs need alone: every fresh isolate reads all of it", async () => {
    const { core } = await buildGuest(folder);
    expect((await stat(core.path)).size).toBeLessThan(50_000);
    expect((await stat(core.cachePath ?? "")).size).toBeLessThan(100_000);
  });
});
