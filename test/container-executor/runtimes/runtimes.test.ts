import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  BASE_ENV,
  INPUT_PATH,
  RUNTIMES,
  warmFrom,
} from "../../../container-executor/runtimes/runtimes.ts";
import type { ContainerRuntime } from "../../../protocol/container-api.ts";
import { joinEngine, type TestEngine } from "../../support/engine.ts";
import { type EngineRuntime, InitContainer } from "../init/init-container.ts";

let engine: TestEngine;
beforeAll(async () => {
  engine = await joinEngine();
});
afterAll(() => engine.leave());

/** Each engine runtime with a program that waits, and runc with a new one, too. */
const WAYS: readonly { readonly runtime: EngineRuntime; readonly warm: boolean }[] = [
  { runtime: "runc", warm: true },
  { runtime: "runc", warm: false },
  { runtime: "runsc", warm: true },
];

interface Program {
  readonly code: string;
  readonly args?: readonly string[];
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

describe.each(WAYS)("under $runtime, with a program that waits: $warm", ({ runtime, warm }) => {
  const run = async (language: ContainerRuntime, { code, args = [], input, env = {} }: Program) => {
    const own = RUNTIMES[language];
    const part = { image: own.image, memoryMb: 256 };
    await using container = await InitContainer.start(engine.endpoint, runtime, part);
    const file = (path: string, text: string) => ({ path, bytes: Buffer.from(text), mode: 0o600 });
    const job = await container.run({
      argv: own.argv(args, input !== undefined),
      env: { ...BASE_ENV, ...own.env, ...(own.hasValue ? { BULKHEAD_VALUE_FD: "3" } : {}), ...env },
      files: [file(own.codePath, code), ...(input === undefined ? [] : [file(INPUT_PATH, input)])],
      wantsValue: own.hasValue,
      warmFrom: warm ? warmFrom(own, env) : null,
    });
    const { files } = await container.channel.listFiles();
    return {
      end: job.ended.end,
      stdout: job.text("stdout"),
      stderr: job.text("stderr"),
      value: (await container.channel.readValue()).toString(),
      files: files.map(({ path }) => path).toSorted(),
    };
  };

  it("bash runs a script with its arguments and environment", async () => {
    const ran = await run("bash", {
      code: 'echo "$0 $# $2 $NAME $PWD"; printenv | sort | cut -d= -f1 | tr "\\n" " "; no-such; exit 6',
      args: ["a", "b c"],
      env: { NAME: "va lue=1" },
    });

    expect(ran.stdout).toContain("main.sh 2 b c va lue=1 /job\n");
    expect(ran.stdout.split("\n")[1]!.replace(/(?:SHLVL|PWD|_) /g, "")).toBe(
      "HOME LANG NAME PATH TMPDIR ",
    );
    expect(ran.stderr).toBe("main.sh: line 1: no-such: command not found\n");
    expect(ran).toMatchObject({ end: { kind: "exited", code: 6 }, files: ["main.sh"] });
  });

  it("python runs a program with its arguments and environment, unbuffered", async () => {
    const ran = await run("python", {
      code: "import sys, os, __main__\nprint(sys.argv, os.environ['NAME'], __name__, __main__.__file__)\nsys.exit(4)",
      args: ["a", "é"],
      env: { NAME: "värde" },
    });

    expect(ran).toMatchObject({
      stdout: "['main.py', 'a', 'é'] värde __main__ /job/main.py\n",
      stderr: "",
      end: { kind: "exited", code: 4 },
      files: ["main.py"],
    });
  });

  it("python tells an error at its own place in the program", async () => {
    const ran = await run("python", { code: "def f():\n    return 1 / 0\n\nf()\n" });

    expect(ran.end).toEqual({ kind: "exited", code: 1 });
    expect(ran.stderr).toContain("line 4, in <module>");
    expect(ran.stderr).toContain("line 2, in f\n    return 1 / 0");
    expect(ran.stderr).not.toContain("/bulkhead");
  });

  it("python draws a chart", async () => {
    const ran = await run("python", {
      code: "import matplotlib.pyplot as p\np.bar(['a', 'b'], [1, 2])\np.savefig('chart.png')\n",
    });

    expect(ran).toMatchObject({ stderr: "", files: ["chart.png", "main.py"] });
  });

  it("node runs a program as a module", async () => {
    const ran = await run("node", {
      code: "import { basename } from 'node:path'; console.log(basename(process.argv[1]), process.argv.slice(2), process.env.NAME); await null; process.exit(3)",
      args: ["x"],
      env: { NAME: "n" },
    });

    expect(ran).toMatchObject({
      stdout: "main.mjs [ 'x' ] n\n",
      stderr: "",
      end: { kind: "exited", code: 3 },
    });
  });

  it("javascript hands its default export's value over", async () => {
    const ran = await run("javascript", {
      code: `
        export default async (input, ctx) => {
          console.log("runs", ctx.runId, Deno.args, Deno.env.get("NAME"));
          await Deno.writeTextFile("out.txt", "text");
          return { sum: input.a + input.b, text: await Deno.readTextFile("out.txt") };
        }`,
      input: '{"a":1,"b":2}',
      args: ["arg"],
      env: { NAME: "n", BULKHEAD_RUN_ID: "job_a.1" },
    });

    expect(ran).toEqual({
      end: { kind: "exited", code: 0 },
      stdout: "runs job_a.1 [ 'arg' ] n\n",
      stderr: "",
      value: '{"sum":3,"text":"text"}',
      files: ["main.mjs", "out.txt"],
    });
  });

  it("typescript runs with enums, and its errors name their own places", async () => {
    const fine = await run("typescript", {
      code: "enum Colour { Red = 'r', Blue = 'b' }\nexport default (n: number): string => Colour.Blue + n",
      input: "7",
    });
    expect(fine).toMatchObject({ value: '"b7"', stderr: "", end: { kind: "exited", code: 0 } });

    const failing = await run("typescript", {
      code: "interface A { b: string }\n\nexport default () => {\n  throw new Error('broken')\n}",
    });
    expect(failing.end).toEqual({ kind: "exited", code: 1 });
    expect(failing.stderr).toContain("Error: broken");
    expect(failing.stderr).toMatch(/main\.mts:4:9/);
    expect(failing.value).toBe("");
  });
});

describe("warmFrom()", () => {
  it("hands a job to the program that waits", () => {
    expect(warmFrom(RUNTIMES.python, { NAME: "x", LANG: "C.UTF-8" })).toBe(2);
  });

  it.each([
    ["python", "PYTHONHASHSEED"],
    ["node", "NODE_OPTIONS"],
    ["bash", "LC_ALL"],
  ] as const)("wants a new %s for a job that sets %s", (language, name) => {
    expect(warmFrom(RUNTIMES[language], { [name]: "1" })).toBeNull();
  });
});
