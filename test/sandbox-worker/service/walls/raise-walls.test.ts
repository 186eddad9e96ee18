import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import {
  findWallTools,
  probeProgram,
} from "../../../../sandbox-worker/service/cages/cage-program.ts";
import { openMemoryWall } from "../../../../sandbox-worker/service/walls/memory/open-memory-wall.ts";
import {
  raiseWalls,
  type RaisedWalls,
} from "../../../../sandbox-worker/service/walls/raise-walls.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bulkhead-raise-"));
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Raises the walls with `script` in bubblewrap's place; `$BWRAP` is the real one. */
async function raisedBy(script: string, allowReduced = false): Promise<RaisedWalls> {
  const tools = findWallTools(process.env["PATH"] ?? "");
  if (tools === undefined) throw new Error("the tools for walls must be installed");
  const bwrap = join(folder, "bwrap");
  writeFileSync(bwrap, `#!/bin/sh\nBWRAP=${tools.bwrap}\n${script}\n`, { mode: 0o755 });
  const memory = await openMemoryWall();
  try {
    return await raiseWalls({
      probe: probeProgram(),
      tools: { ...tools, bwrap },
      memory,
      uidBase: 300_000,
      allowReduced,
    });
  } finally {
    await memory.wall.close();
  }
}

const refusing = (argument: string): string =>
  `for one in "$@"; do [ "$one" != ${argument} ] || exit 1; done; exec $BWRAP "$@"`;

it("all walls stand although the first try to look at them failed", async () => {
  const mark = join(folder, "mark");
  const script = `[ -e ${mark} ] || { : > ${mark}; exit 0; }; exec $BWRAP "$@"`;

  expect((await raisedBy(script)).protections).toMatchObject({ seccomp: true, ownUid: true });
});

it("a filter that does not hold where the kernel has filters stops the start", async () => {
  await expect(raisedBy(refusing("--seccomp"))).rejects.toThrow(/all walls.*SANDBOX_ALLOW_REDUCED/);
});

it("is done without where that is allowed, and the lack is told", async () => {
  const { protections } = await raisedBy(refusing("--seccomp"), true);

  expect(protections).toMatchObject({ seccomp: false, ownUid: true });
});
