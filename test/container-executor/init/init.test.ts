import { createHash, randomBytes } from "node:crypto";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { encodeFrame, OUT } from "../../../container-executor/channel/init-frames.ts";
import { joinEngine, type TestEngine } from "../../support/engine.ts";
import { InitContainer, type ContainerPart, type EngineRuntime } from "./init-container.ts";

let engine: TestEngine;
beforeAll(async () => {
  engine = await joinEngine();
});
afterAll(() => engine.leave());

const RUNTIMES: readonly EngineRuntime[] = ["runc", "runsc"];

describe.each(RUNTIMES)("init under %s", (runtime) => {
  const start = (part: ContainerPart = {}) => InitContainer.start(engine.endpoint, runtime, part);

  it("tells stdout and stderr apart, byte for byte and with their offsets", async () => {
    await using container = await start();
    const job = await container.run({
      script: "head -c 300000 /dev/urandom | tee copy; printf '\\000\\377\\n' >&2",
    });

    const { files } = await container.channel.listFiles();
    const copy: Buffer[] = [];
    for await (const part of container.channel.readFile(files[0]!.index)) copy.push(part);
    expect(job.bytes("stdout").equals(Buffer.concat(copy))).toBe(true);
    expect([...job.bytes("stderr")]).toEqual([0, 255, 10]);
    let offset = 0;
    for (const event of job.events) {
      if (event.type !== "output" || event.stream !== "stdout") continue;
      expect(event.offset).toBe(offset);
      offset += event.bytes.length;
    }
    expect(job.ended).toMatchObject({
      end: { kind: "exited", code: 0 },
      stdoutBytes: 300_000,
      stderrBytes: 3,
    });
  });

  it("hands standard input on whole, however long", async () => {
    await using container = await start();
    const input = randomBytes(300_000);
    const job = container.begin({ argv: ["sha256sum"] });
    await container.channel.writeStdin(input);
    container.channel.endStdin();
    await job.exit;

    expect(job.text("stdout")).toContain(createHash("sha256").update(input).digest("hex"));
  });

  it("lays files down with their modes, and gives the job its arguments, environment and folder", async () => {
    await using container = await start();
    const job = await container.run({
      argv: ["./a dir/tool", "one two", ""],
      env: { PATH: "/usr/bin:/bin", NAME: "va=lue" },
      files: [
        { path: "a dir/tool", bytes: Buffer.from(TOOL), mode: 0o750 },
        { path: "empty/", bytes: Buffer.alloc(0), mode: 0o700 },
        { path: "large", bytes: randomBytes(700_000), mode: 0o600 },
      ],
    });

    expect(job.text("stdout")).toBe(
      `2 [one two] va=lue /job large 700000 600,tool ${TOOL.length} 750,empty 40 700,\n`,
    );
    expect(job.text("stderr")).toBe("");
  });

  it.each([
    ["exit 7", { kind: "exited", code: 7 }],
    ["kill -SEGV $$", { kind: "signalled", signal: "SIGSEGV" }],
  ])("tells how `%s` ended", async (script, end) => {
    await using container = await start();
    const job = await container.run({ script });

    expect(job.ended).toMatchObject({ end, killedFor: null });
  });

  it("tells of a program that cannot be executed, and that nothing ran", async () => {
    await using container = await start();
    const job = await container.run({ argv: ["no-such-program"] });

    expect(job.ended.end).toEqual({ kind: "exec_failed", errno: "ENOENT" });
    expect(job.events.map(({ type }) => type)).toEqual(["exit"]);
  });

  it.each([
    ["too/large", 17 * 1024 * 1024, "ENOSPC"],
    ["../outside", 1, "EINVAL"],
    ["/absolute", 1, "EINVAL"],
  ])("tells of the file %s that cannot be laid down", async (path, bytes, errno) => {
    await using container = await start();
    const files = [{ path, bytes: Buffer.alloc(bytes, 1), mode: 0o600 }];
    const job = await container.run({ files, script: "echo ran" });

    expect(job.ended.end).toEqual({ kind: "setup_failed", errno, path });
    expect(job.text("stdout")).toBe("");
  });

  it("takes nothing that the job writes for a frame", async () => {
    await using container = await start();
    const forged = Buffer.concat([
      encodeFrame(OUT.exit, Buffer.alloc(84)),
      encodeFrame(OUT.synced, Buffer.alloc(32)),
      encodeFrame(OUT.output, Buffer.alloc(60_000)),
    ]);
    const files = [{ path: "forged", bytes: forged, mode: 0o600 }];
    const job = await container.run({ files, script: "cat forged; cat forged >&2; exit 9" });

    expect(job.bytes("stdout").equals(forged)).toBe(true);
    expect(job.bytes("stderr").equals(forged)).toBe(true);
    expect(job.ended.end).toEqual({ kind: "exited", code: 9 });
  });

  it("lets a job that ignores SIGTERM live for the grace, no longer", async () => {
    await using container = await start();
    const job = container.begin({
      script: "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done",
    });
    await job.until(() => job.text("stdout").includes("ready"));
    container.channel.cancel(300);
    const exit = await job.exit;

    expect(job.text("stdout")).toContain("asked");
    expect(exit).toMatchObject({
      end: { kind: "signalled", signal: "SIGKILL" },
      killedFor: "cancelled",
    });
  });

  it("lets a job end by itself within the grace", async () => {
    await using container = await start();
    const job = container.begin({
      script: "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
    });
    await job.until(() => job.text("stdout").includes("ready"));
    container.channel.cancel(20_000);

    expect(await job.exit).toMatchObject({
      end: { kind: "exited", code: 3 },
      killedFor: "cancelled",
    });
    expect(job.text("stdout")).toContain("bye");
  });

  it("takes daemonised and stopped children along with the main process", async () => {
    await using container = await start();
    const job = await container.run({
      script: `
        (setsid setsid sleep 1000 &) ; setsid bash -c 'trap "" TERM HUP; sleep 1000' & disown
        sleep 1000 & kill -STOP $!
        echo left`,
    });

    expect(job.ended.end).toEqual({ kind: "exited", code: 0 });
    expect((await container.channel.stats()).pids).toBe(0);
  });

  it("kills a fork bomb", async () => {
    await using container = await start();
    const job = container.begin({
      script: "bomb() { bomb | bomb & }; bomb; sleep 1000",
    });
    await job.until(() => job.text("stderr").includes("Resource temporarily unavailable"));
    container.channel.cancel(0);
    const { evidence } = await job.exit;

    // Under gVisor the limit is one of the uid, of which no refusal is counted.
    expect(evidence.pidsRefused > 0).toBe(runtime === "runc");
    expect((await container.channel.stats()).pids).toBe(0);
  });

  it("ends a job whose own memory passes its limit", async () => {
    await using container = await start({ image: "python" });
    const hog = "x = []\nwhile True: x.append(bytearray(1 << 20))";
    const job = await container.run({ argv: ["python3", "-c", hog] });

    const { killedFor, evidence, usage } = job.ended;
    expect(killedFor === "memory_limit" || evidence.oomKills > 0).toBe(true);
    expect(usage.memoryPeakBytes).toBeGreaterThan(32 * 1024 * 1024);
  });

  it("counts no file against the job's memory", async () => {
    await using container = await start({ memoryMb: 32, diskMb: 100 });
    const job = await container.run({
      script: "head -c 80000000 /dev/zero > file && sleep 0.2 && echo fits",
    });

    expect(job.ended).toMatchObject({ end: { kind: "exited", code: 0 }, killedFor: null });
    expect(job.text("stdout")).toBe("fits\n");
    expect(job.ended.usage.diskBytes).toBeGreaterThanOrEqual(80_000_000);
  });

  it("ends a job that fills its disk", async () => {
    await using container = await start();
    const job = await container.run({ script: "cat /dev/zero > file; sleep 1000" });

    expect(job.ended).toMatchObject({ killedFor: "disk_limit", evidence: { diskFull: true } });
  });

  it("ends a job that used up its CPU time, in all its processes together", async () => {
    await using container = await start();
    const spin = "while :; do :; done";
    const job = await container.run({ script: `(${spin}) & ${spin}`, limits: { cpuMs: 400 } });

    expect(job.ended.killedFor).toBe("cpu_limit");
    expect(job.ended.usage.cpuMs).toBeGreaterThanOrEqual(390);
  });

  it("ends a job that nobody renews, and lets a renewed one live", async () => {
    await using forgotten = await start();
    const lost = await forgotten.run({ script: "sleep 1000", limits: { leaseMs: 300 } });
    expect(lost.ended.killedFor).toBe("lease_expired");

    await using renewed = await start();
    const renewal = setInterval(() => renewed.channel.renew(), 100);
    const kept = await renewed.run({ script: "sleep 1.5; echo done", limits: { leaseMs: 800 } });
    clearInterval(renewal);
    expect(kept.text("stdout")).toBe("done\n");
  });

  it("hands over a value, and cuts it at 1 MiB", async () => {
    await using small = await start();
    await small.run({ script: `printf '{"a":1}' >&3`, wantsValue: true });
    expect((await small.channel.readValue()).toString()).toBe('{"a":1}');

    await using large = await start();
    const job = await large.run({ script: "head -c 2000000 /dev/zero >&3", wantsValue: true });
    expect(job.ended.evidence.valueOver).toBe(true);
    expect(await large.channel.readValue()).toHaveLength(1024 * 1024);
  });

  it("is out of its job's reach", async () => {
    await using container = await start({ image: "python" });
    const job = await container.run({ argv: ["python3", "-c", ATTACKS] });

    expect(job.text("stderr")).toBe("");
    const tried = job.text("stdout").trim().split("\n");
    expect(tried.filter((line) => !line.endsWith(" refused"))).toEqual([]);
    expect(tried).toHaveLength(8);
    expect(job.ended.end).toEqual({ kind: "exited", code: 0 });
  });

  it("believes no frame that the job gets into its output", async () => {
    await using container = await start({ image: "python" });
    const forged = encodeFrame(OUT.exit, Buffer.concat([Buffer.alloc(7), Buffer.alloc(93, 1)]));
    const files = [{ path: "forged", bytes: forged, mode: 0o600 }];
    const job = container.begin({ argv: ["python3", "-c", FORGERY], files });
    container.channel.endStdin();
    const heard = await job.exit.catch(() => container.channel.closed);

    expect(heard).toMatchObject(FORGERY_ENDS[runtime]);
  });
});

const TOOL = `#!/bin/bash
echo "$# [$1] $NAME $PWD" $(find large 'a dir/tool' empty -printf '%f %s %m,')
`;

/** What a job of the same uid might try on its init. */
const ATTACKS = `
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, act):
    try:
        refused = act() == -1
    except OSError:
        refused = True
    print(name, "refused" if refused else "DONE", flush=True)

iov = (ctypes.c_size_t * 2)(0, 0)
attempt("write memory", lambda: os.open("/proc/1/mem", os.O_RDWR))
attempt("write memory by call", lambda: libc.process_vm_writev(1, iov, 1, iov, 1, 0))
attempt("trace", lambda: libc.ptrace(16, 1, 0, 0))
attempt("limit", lambda: libc.prlimit(1, resource.RLIMIT_CPU, (ctypes.c_ulong * 2)(0, 0), None))
attempt("stop", lambda: os.kill(1, signal.SIGSTOP))
attempt("kill", lambda: os.kill(1, signal.SIGKILL))
attempt("slow down", lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)))
attempt("leave its namespaces", lambda: libc.unshare(0x10020000))
`;

/** Linux keeps a job from the descriptors of process 1; gVisor of 2022 lets it open them. */
const FORGERY_ENDS: Readonly<Record<EngineRuntime, object>> = {
  runc: { end: { kind: "exited", code: 5 } },
  runsc: { cause: "lost", reason: "a frame does not come from init" },
};

const FORGERY = `
import os, sys
forged = open("forged", "rb").read()
try:
    with open("/proc/1/fd/1", "wb", buffering=0) as out: out.write(forged)
except OSError:
    sys.exit(5)
while True: pass
`;
