import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CageProcess } from "../../../../sandbox-worker/service/cages/cage-process.ts";
import type { CageDeath } from "../../../../sandbox-worker/service/cages/cage-process.ts";
import { findWallTools } from "../../../../sandbox-worker/service/cages/cage-program.ts";
import { confinedCommand } from "../../../../sandbox-worker/service/walls/confinement.ts";
import type { CageProgram, Command } from "../../../../sandbox-worker/service/walls/confinement.ts";
import type { MemoryWall } from "../../../../sandbox-worker/service/walls/memory/memory-wall.ts";
import { openMemoryWall } from "../../../../sandbox-worker/service/walls/memory/open-memory-wall.ts";
import { assemble, cageFilter } from "../../../../sandbox-worker/service/walls/seccomp.ts";

/**
 * What a guest could try that had broken out of its isolate and owned the cage's Node. It reports
 * in one frame, and goes on until it is killed.
 */
const INTRUDER = `
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";

const attempt = async (work) => {
  try { return await work(); } catch (error) { return { denied: error.code ?? error.message }; }
};
const report = {
  environment: process.env,
  passwd: await attempt(() => fs.readFileSync("/etc/passwd", "utf8").length),
  secret: await attempt(() => fs.readFileSync(process.argv[2], "utf8")),
  root: await attempt(() => fs.readdirSync("/").length),
  write: await attempt(() => fs.writeFileSync("/mark", "x")),
  writeBeside: await attempt(() => fs.writeFileSync(new URL("mark", import.meta.url), "x")),
  writeDevices: await attempt(() => fs.writeFileSync("/dev/shm/mark", "x")),
  child: await attempt(() => {
    const { error, pid } = spawnSync(process.execPath, ["-e", "0"]);
    if (error) throw error;
    return pid;
  }),
  interfaces: await attempt(() => Object.keys(os.networkInterfaces())),
  connect: await attempt(() => new Promise((resolve, reject) => {
    net.connect(Number(process.argv[3]), "127.0.0.1", () => resolve("connected")).on("error", reject);
  })),
  root_again: await attempt(() => { process.setuid(0); return process.getuid(); }),
  others: await attempt(() => fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))),
  supervisor: await attempt(() => process.kill(Number(process.argv[4]), 0)),
};
const json = Buffer.from(JSON.stringify(report));
const head = Buffer.alloc(5);
head.writeUInt32LE(json.length + 1, 0);
head.writeUInt8(70, 4);
fs.writeSync(1, Buffer.concat([head, json]));
setInterval(() => {}, 1000);
`;

type Report = Readonly<Record<string, unknown>>;

const UID = 265_000;
let folder: string;
let listener: Server;
let memory: MemoryWall;
let filter: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bulkhead-walls-"));
  filter = join(folder, "filter");
  writeFileSync(filter, assemble(cageFilter(process.arch === "arm64" ? "arm64" : "x64")));
  listener = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  memory = (await openMemoryWall()).wall;
});
afterAll(async () => {
  listener.close();
  await memory.close();
  rmSync(folder, { recursive: true });
});

interface Started {
  readonly report: Report;
  readonly status: string;
  readonly namespaces: readonly string[];
  readonly death: CageDeath;
}

/** Runs a script in a cage's place, looks at its process from outside, and kills it. */
async function inCage(script: string, change: (command: Command) => Command): Promise<Started> {
  const tools = findWallTools(process.env["PATH"] ?? "");
  if (tools === undefined) throw new Error("bubblewrap and setpriv must be installed");
  const inside = join(folder, "inside");
  const entry = join(inside, "intruder.mjs");
  writeFileSync(join(folder, "secret"), "secret");
  await import("node:fs/promises").then((fs) => fs.mkdir(inside, { recursive: true }));
  writeFileSync(entry, script);
  const program: CageProgram = {
    nodePath: process.execPath,
    entry,
    args: [
      join(folder, "secret"),
      String((listener.address() as AddressInfo).port),
      String(process.pid),
    ],
    readable: [inside],
  };
  return await new Promise((resolve) => {
    let seen: Omit<Started, "death"> = { report: {}, status: "", namespaces: [] };
    const cage = new CageProcess(
      {
        id: 1,
        uid: UID,
        memory: memory.open(Math.floor(Math.random() * 1e9)),
        seccompFile: filter,
        command: (seccompFd) => change(confinedCommand(program, tools, { uid: UID, seccompFd })),
      },
      {
        ready: () => {},
        broken: () => {},
        frame: ({ payload }) => {
          const { pid } = cage;
          seen = {
            report: JSON.parse(payload.toString("utf8")) as Report,
            status: readFileSync(`/proc/${pid}/status`, "utf8"),
            namespaces: ["pid", "mnt", "net", "ipc", "uts"].map((kind) =>
              readlinkSync(`/proc/${pid}/ns/${kind}`),
            ),
          };
          cage.kill();
        },
        died: (death) => {
          void cage.memory.remove().then(() => {
            resolve({ ...seen, death });
          });
        },
      },
    );
  });
}

/** Takes Node's permissions away, so that only the kernel's walls are left. */
const withoutPermissions = (command: Command): Command => ({
  ...command,
  args: command.args.filter((arg) => arg !== "--permission" && !arg.startsWith("--allow-")),
});

describe("the kernel's walls, with Node's permissions off", () => {
  let started: Started;
  beforeAll(async () => {
    started = await inCage(INTRUDER, withoutPermissions);
  });

  it.each([
    ["the machine's files", "passwd", "ENOENT"],
    ["a file beside its own", "secret", "ENOENT"],
    ["writing to its root", "write", "EROFS"],
    ["writing to its program's folder", "writeBeside", "EROFS"],
    ["being root again", "root_again", "EPERM"],
    ["its supervisor", "supervisor", "ESRCH"],
  ])("deny %s", (_what, attempt, code) => {
    expect(started.report[attempt]).toEqual({ denied: code });
  });

  it.each(["child", "connect", "writeDevices"])("deny %s", (attempt) => {
    expect(started.report[attempt]).toEqual({ denied: expect.any(String) });
  });

  it("show no environment, no network and no process but its own and process 1", () => {
    expect(started.report["environment"]).toEqual({ PWD: "/" });
    expect(started.report["interfaces"]).not.toEqual(expect.arrayContaining(["eth0"]));
    expect(started.report["others"]).toEqual(["1", "2"]);
  });

  it("leave the process a user of its own, without powers, in namespaces of its own", () => {
    const { status, namespaces } = started;
    expect(status).toMatch(new RegExp(`^Uid:\\s+${UID}\\s+${UID}\\s+${UID}\\s+${UID}$`, "m"));
    expect(status).toMatch(/^Groups:\s*$/m);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, "m"));
    }
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    for (const namespace of namespaces) {
      const [kind = ""] = namespace.split(":");
      expect(namespace).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
  });

  it("fall with the cage, whose death is seen", () => {
    expect(started.death).toMatchObject({ exitCode: 137, overran: false, watchdogWord: null });
  });
});

describe("Node's permissions", () => {
  it.each(["passwd", "secret", "root", "write", "writeBeside", "child"])(
    "deny %s before the kernel is asked",
    async (attempt) => {
      const { report } = await inCage(INTRUDER, (command) => command);

      expect(report[attempt]).toEqual({ denied: "ERR_ACCESS_DENIED" });
    },
  );
});

describe("the watchdog's word", () => {
  it("ends a cage that cannot end itself", async () => {
    const script =
      'import fs from "node:fs"; fs.writeSync(3, "cpu_timeout\\n"); for (;;) continue;';

    const { death } = await inCage(script, (command) => command);

    expect(death.watchdogWord).toBe("cpu_timeout");
  });
});
