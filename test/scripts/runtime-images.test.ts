import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Apt } from "../../scripts/setup/apt.ts";
import { runCommand } from "../../scripts/setup/run-command.ts";
import { prepareRuntimeImages } from "../../scripts/setup/runtime-images.ts";
import { tar, tarFile } from "../../scripts/setup/tar.ts";
import { joinEngine, type TestEngine } from "../support/engine.ts";

const folder = mkdtempSync(join(tmpdir(), "runtime-images-"));
let engine: TestEngine;
beforeAll(async () => {
  engine = await joinEngine();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await engine.leave();
});

describe("prepareRuntimeImages()", () => {
  it("only looks where the images are those of this tree", async () => {
    const said: string[] = [];
    const apt = new Apt(join(folder, "apt.log"), (line) => said.push(line));
    const prepare = () =>
      prepareRuntimeImages(apt, engine.endpoint, folder, (line) => said.push(line));
    await prepare();
    said.length = 0;

    expect(await prepare()).toMatchObject({
      ready: true,
      value: ["bulkhead/bash:latest", "bulkhead/python:latest", "bulkhead/node:latest"],
      note: expect.stringContaining("are here") as unknown,
    });
    expect(said).toEqual([]);
  }, 600_000);
});

describe("tar()", () => {
  it("makes an archive that tar reads, whatever the files' sizes", async () => {
    const archive = join(folder, "files.tar");
    const sizes = [0, 1, 511, 512, 513];
    await writeFile(
      archive,
      tar(sizes.map((size) => tarFile(`f${size}`, 0o640, Buffer.alloc(size, 1)))),
    );
    const listed = await runCommand("tar", ["-tvf", archive], { timeoutMs: 5_000 });

    expect(listed.code).toBe(0);
    const entries = listed.stdout.trim().split("\n");
    expect(entries.map((line) => line.split(/\s+/))).toEqual(
      sizes.map((size) => [
        "-rw-r-----",
        "0/0",
        String(size),
        expect.any(String),
        expect.any(String),
        `f${size}`,
      ]),
    );
  });

  it("refuses a name that its header cannot hold", async () => {
    const archive = tar([tarFile("x".repeat(101), 0o644, Buffer.alloc(1))]);
    await expect(archive.toArray()).rejects.toThrow("over 100 bytes");
  });
});
