import { createHash } from "node:crypto";

import { describe, expect, test } from "vitest";

import { allOf, bytesOf, order } from "../../support/container-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const { service } = sharedContainerService();

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("programs", () => {
  test.for([
    ["bash", "echo hello"],
    ["python", "print('hello')"],
    ["node", "console.log('hello')"],
    ["javascript", "console.log('hello')"],
    ["typescript", "const text: string = 'hello'; console.log(text)"],
  ] as const)("%s says hello", async ([runtime, code]) => {
    const { result, events } = await service().run({ runtime, code });
    expect(result).toMatchObject({ outcome: "ok", exitCode: 0, stdout: "hello\n", stderr: "" });
    expect(result).toMatchObject({ started: true, certainty: "certain", truncated: null });
    expect(events[0]).toMatchObject({ seq: 1, type: "started" });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  });

  test("standard input, arguments and environment reach a program", async () => {
    const { result } = await service().run({
      code: 'cat; echo "$1 and $2, $WORD"',
      args: ["a b", "c"],
      env: { WORD: "grüße" },
      stdin: "read\n",
    });
    expect(result.stdout).toBe("read\na b and c, grüße\n");
  });

  test("more input than any pipe holds is read whole", async () => {
    const stdin = "0123456789abcdef".repeat(64 * 1024);
    const { result } = await service().run({ code: "wc -c", stdin });
    expect(result.stdout.trim()).toBe(String(stdin.length));
  });

  test("a module gets its input, and hands its value over", async () => {
    const { result } = await service().run({
      runtime: "typescript",
      code: "export default async ({ a }: { a: number }) => ({ twice: a * 2 })",
      inputJson: '{"a":21}',
    });
    expect(result).toMatchObject({ outcome: "ok", valueJson: '{"twice":42}' });
  });

  test("an exit code and a signal are told", async () => {
    expect((await service().run({ code: "exit 7" })).result).toMatchObject({
      outcome: "failed",
      exitCode: 7,
      signal: null,
    });
    expect((await service().run({ code: "kill -USR1 $$" })).result).toMatchObject({
      outcome: "failed",
      exitCode: null,
      signal: "SIGUSR1",
    });
  });

  test("bytes that are not text arrive exactly, and characters whole", async () => {
    const code = String.raw`printf '\xff\x00\xfe'; sleep 0.1; printf '\xc3'; sleep 0.1; printf '\xa4'`;
    const { events } = await service().run({ code });
    expect(bytesOf(events, "stdout").toString("latin1")).toBe("\xff\x00\xfe\xc3\xa4");
    const texts = events.flatMap((event) => (event.type === "stdout" ? [event.data] : []));
    expect(texts.at(-1)).toBe("ä");
  });

  test("output arrives while the program runs", async () => {
    const body = order({ code: "echo first; sleep 60" });
    await service().put(body);
    for await (const event of service().events(body.runId)) if (event.type === "stdout") break;
    expect(await service().status(body.runId)).toMatchObject({ state: "running" });
    const killed = await service().send("DELETE", `/v1/runs/${body.runId}`);
    expect(await killed.json()).toMatchObject({ state: "ended", outcome: "cancelled" });
    const told = await allOf(service().events(body.runId));
    expect(bytesOf(told, "stdout").toString()).toBe("first\n");
  });

  test("processes left behind end with the program", async () => {
    const code = "setsid sleep 1000 & sleep 1000 & kill -STOP $!; echo over";
    const { result } = await service().run({ code });
    expect(result).toMatchObject({ outcome: "ok", stdout: "over\n" });
  });
});

describe("files", () => {
  test("files are laid into the work folder with their modes", async () => {
    const { result } = await service().run({
      code: "stat -c '%a %n' in/data.csv run.sh; ./run.sh; cat in/data.csv",
      files: [
        { path: "in/data.csv", base64: base64("a,b\n"), mode: 0o640 },
        { path: "run.sh", base64: base64("#!/bin/sh\necho ran\n"), mode: 0o755 },
      ],
    });
    expect(result.stdout).toBe("640 in/data.csv\n755 run.sh\nran\na,b\n");
  });

  test.for(["/etc/passwd", "../up", "a/../b", "a//b", "./a", "", ".bulkhead/x"])(
    "path %j is refused",
    async (path) => {
      const body = order({ files: [{ path, base64: "", mode: 0o600 }] });
      expect((await service().put(body)).status).toBe(400);
    },
  );

  test("a file that another file stands in the way of fails the run before it starts", async () => {
    const file = (path: string) => ({ path, base64: "", mode: 0o600 });
    const { result } = await service().run({ files: [file("a"), file("a/b")] });
    expect(result).toMatchObject({ outcome: "failed", started: false });
    expect(result.error?.message).toContain("ENOTDIR");
  });

  test("artifacts come by glob, of any name, with their sums, and nothing is followed", async () => {
    const name = "out/größe \n\t'\"$(x);.txt";
    const { result, runId, events } = await service().run({
      runtime: "python",
      code: [
        "import os",
        "os.makedirs('out/deep/er')",
        `open(${JSON.stringify(name)}, 'w').write('odd')`,
        "open('out/deep/er/.hidden', 'w').write('hidden')",
        "open('out/empty', 'w')",
        "open('elsewhere.txt', 'w').write('no')",
        "os.symlink('/etc/passwd', 'out/link')",
        "os.symlink('/etc', 'out/dir')",
        "os.mkfifo('out/fifo')",
      ].join("\n"),
      artifacts: ["out/**"],
    });
    expect(result.outcome).toBe("ok");
    const paths = result.artifacts.map(({ path }) => path);
    expect(paths.toSorted()).toEqual(["out/deep/er/.hidden", "out/empty", name].toSorted());
    const odd = result.artifacts.find(({ path }) => path === name)!;
    expect(odd.sha256).toBe(createHash("sha256").update("odd").digest("hex"));
    expect(events.filter(({ type }) => type === "artifact")).toHaveLength(3);
    const target = `/v1/runs/${runId}/artifacts/${encodeURIComponent(name)}`;
    const file = await service().send("GET", target);
    expect(file.status).toBe(200);
    expect(await file.text()).toBe("odd");
    const other = await service().send("GET", `/v1/runs/${runId}/artifacts/elsewhere.txt`);
    expect(other.status).toBe(404);
  });

  test("artifacts over the caps are left, and it is said which and why", async () => {
    const { result } = await service().run({
      code: "for i in 1 2 3 4; do head -c 1000 /dev/zero > f$i; done; head -c 9000 /dev/zero > big",
      artifacts: ["*"],
      caps: { artifactFiles: 3, artifactBytes: 5000 },
    });
    expect(result.artifacts.map(({ path }) => path)).toEqual(["f1", "f2", "f3"]);
    expect(result.artifactsLeft).toEqual([
      { path: "big", reason: "over the cap of 5000 bytes of all artifacts" },
      { path: "f4", reason: "over the cap of 3 files" },
    ]);
  });

  test("an artifact of some megabytes comes whole", async () => {
    const { result, runId } = await service().run({
      code: "head -c 5000000 /dev/urandom > blob; sha256sum blob",
      artifacts: ["blob"],
    });
    const response = await service().send("GET", `/v1/runs/${runId}/artifacts/blob`);
    const bytes = Buffer.from(await response.arrayBuffer());
    const sum = createHash("sha256").update(bytes).digest("hex");
    expect(result.artifacts).toMatchObject([{ bytes: 5_000_000, sha256: sum }]);
    expect(result.stdout).toContain(sum);
  });
});
