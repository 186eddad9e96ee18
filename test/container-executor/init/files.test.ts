import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { InitFileEntry } from "../../../container-executor/channel/init-messages.ts";
import { joinEngine, type TestEngine } from "../../support/engine.ts";
import { type EngineRuntime, InitContainer } from "./init-container.ts";

let engine: TestEngine;
beforeAll(async () => {
  engine = await joinEngine();
});
afterAll(() => engine.leave());

const RUNTIMES: readonly EngineRuntime[] = ["runc", "runsc"];

describe.each(RUNTIMES)("files that a job left under %s", (runtime) => {
  const leave = async (script: string) => {
    const container = await InitContainer.start(engine.endpoint, runtime);
    await container.run({ script });
    return container;
  };

  it("are listed and read whatever their names and modes are", async () => {
    await using container = await leave(`
      printf a > $'new\\nline'; printf b > $'not \\xff utf'; printf c > ' -rf *'; printf d > 'ümläut'
      mkdir -p deep/er; printf e > deep/er/file; chmod 000 deep/er/file; chmod 000 deep/er
      : > empty; ln empty hard; truncate -s 5M sparse; chmod 4755 empty`);
    const { files, complete } = await container.channel.listFiles();

    expect(complete).toBe(true);
    const byPath = new Map(files.map((file) => [file.path, file]));
    expect([...byPath.keys()].toSorted()).toEqual(
      [
        "new\nline",
        "not %FF utf",
        " -rf *",
        "ümläut",
        "deep/er/file",
        "empty",
        "hard",
        "sparse",
      ].toSorted(),
    );
    expect(await read(container, byPath.get("new\nline"))).toBe("a");
    expect(await read(container, byPath.get("not %FF utf"))).toBe("b");
    expect(await read(container, byPath.get("deep/er/file"))).toBe("e");
    expect(await read(container, byPath.get("empty"))).toBe("");
    expect(byPath.get("deep/er/file")).toMatchObject({ bytes: 1, mode: 0 });
    expect(byPath.get("empty")).toMatchObject({ bytes: 0, mode: 0o755 });
    const sparse = byPath.get("sparse")!;
    expect(sparse.bytes).toBe(5 * 1024 * 1024);
    expect(sparse.allocatedBytes).toBeLessThanOrEqual(sparse.bytes);
    expect((await read(container, sparse)).length).toBe(sparse.bytes);
  });

  it("are regular files alone: no link is followed, no pipe or socket opened", async () => {
    await using container = await leave(`
      ln -s /etc/passwd link; ln -s /etc folder; ln -s /proc/1/environ proc; mkfifo pipe
      mkdir sub; ln -s ../.. sub/up; echo real > sub/real
      python3 -c 1 2>/dev/null; exec 9<>pipe`);
    const { files } = await container.channel.listFiles();

    expect(files.map(({ path }) => path)).toEqual(["sub/real"]);
  });

  it("are listed up to a bound, and the list says so", async () => {
    await using container = await leave("for i in {1..10050}; do : > f$i; done");
    const { files, complete } = await container.channel.listFiles();

    expect(files).toHaveLength(10_000);
    expect(complete).toBe(false);
    expect(new Set(files.map(({ path }) => path)).size).toBe(10_000);
  });

  it("fail to be read by an index that none has, without harm to the rest", async () => {
    await using container = await leave("echo one > one");
    const { files } = await container.channel.listFiles();
    const missing = container.channel.readFile(7).next();

    await expect(missing).rejects.toThrow("Cannot read file 7 of the container: ENOENT");
    expect(await read(container, files[0])).toBe("one\n");
  });
});

async function read(container: InitContainer, file: InitFileEntry | undefined): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of container.channel.readFile(file!.index)) parts.push(part);
  return Buffer.concat(parts).toString();
}
