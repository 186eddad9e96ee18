import { readFileSync, readlinkSync } from "node:fs";

import { Up } from "../../frames.ts";
import type { CageFactory } from "../cages/cage-factory.ts";

/** The walls that can stand around a cage, by the names that `/readyz` tells them under. */
const PROTECTIONS = [
  "processes",
  "pidNamespace",
  "mountNamespace",
  "networkNamespace",
  "ownUid",
  "noNewPrivileges",
  "seccomp",
  "cgroupMemory",
  "nodePermissions",
] as const;
export type Protection = (typeof PROTECTIONS)[number];
export type Protections = Readonly<Record<Protection, boolean>>;

/**
 * What a service may run without, where the machine has no such thing: the other walls hold without
 * them. Whether a machine has filters for system calls is asked before.
 */
const OPTIONAL: ReadonlySet<Protection> = new Set(["seccomp", "cgroupMemory"]);

export const missingProtections = (protections: Protections): readonly Protection[] =>
  PROTECTIONS.filter((name) => !protections[name] && !OPTIONAL.has(name));

/** What the kernel says of a process behind the walls, and of this one beside it. */
interface ProcessFacts {
  readonly status: string;
  readonly namespaces: Readonly<Record<"pid" | "mnt" | "net", string>>;
}

/** Reads the walls off what the kernel says. `uid` is the one that the process was to get. */
export function protectionsOf(
  cage: ProcessFacts,
  own: ProcessFacts,
  probe: { readonly uid: number; readonly permissions: boolean; readonly heldByGroup: boolean },
): Protections {
  const field = (name: string): string => {
    const match = new RegExp(`^${name}:\\s*(.*)$`, "m").exec(cage.status);
    return match?.[1]?.trim() ?? "";
  };
  const apart = (kind: keyof ProcessFacts["namespaces"]): boolean =>
    cage.namespaces[kind] !== "" && cage.namespaces[kind] !== own.namespaces[kind];
  const uids = field("Uid").split(/\s+/);
  const powerless = ["CapPrm", "CapEff", "CapBnd", "CapInh"].every((name) =>
    /^0+$/.test(field(name)),
  );
  return {
    processes: true,
    pidNamespace: apart("pid"),
    mountNamespace: apart("mnt"),
    networkNamespace: apart("net"),
    ownUid: powerless && uids.length === 4 && uids.every((uid) => uid === String(probe.uid)),
    noNewPrivileges: field("NoNewPrivs") === "1",
    seccomp: field("Seccomp") === "2",
    cgroupMemory: probe.heldByGroup,
    nodePermissions: probe.permissions,
  };
}

function readFacts(pid: number | "self"): ProcessFacts {
  return {
    status: read(() => readFileSync(`/proc/${pid}/status`, "utf8")),
    namespaces: {
      pid: read(() => readlinkSync(`/proc/${pid}/ns/pid`)),
      mnt: read(() => readlinkSync(`/proc/${pid}/ns/mnt`)),
      net: read(() => readlinkSync(`/proc/${pid}/ns/net`)),
    },
  };
}

const read = (what: () => string): string => {
  try {
    return what();
  } catch {
    // Not Linux, or a process that is gone.
    return "";
  }
};

export type Probing =
  | { readonly ok: true; readonly protections: Protections }
  | { readonly ok: false; readonly why: string };

/** A probe takes as long as Node to start. */
const PROBE_MAX_MS = 20_000;

/** Starts the probe behind the walls that `factory` makes, looks at it from outside, and ends it. */
export async function probeWalls(factory: CageFactory, memoryHeld: boolean): Promise<Probing> {
  return await new Promise((resolve) => {
    let found: Probing = { ok: false, why: `the probe did not report within ${PROBE_MAX_MS} ms` };
    const probe = factory.start(0, {
      ready: () => {},
      broken: () => {
        found = { ok: false, why: "the probe said something else" };
        probe.kill();
      },
      frame: ({ kind, payload }) => {
        if (kind === Up.end && probe.pid !== undefined) {
          const report = JSON.parse(payload.toString("utf8")) as { permissions: boolean };
          const list = read(() => readFileSync(probe.memory.processList ?? "", "utf8"));
          const heldByGroup = memoryHeld && list.split("\n").includes(String(probe.pid));
          const { uid } = probe;
          const facts = { uid, heldByGroup, permissions: report.permissions };
          const protections = protectionsOf(readFacts(probe.pid), readFacts("self"), facts);
          found = { ok: true, protections };
        }
        probe.kill();
      },
      died: ({ exitCode, signal, stderr }) => {
        clearTimeout(timer);
        const unexplained = !found.ok && exitCode !== null;
        if (unexplained)
          found = { ok: false, why: `it ended with ${exitCode}: ${firstLine(stderr)}` };
        else if (!found.ok && signal === null) found = { ok: false, why: firstLine(stderr) };
        factory.release(probe.uid);
        void probe.memory.remove().then(() => {
          resolve(found);
        });
      },
    });
    const timer = setTimeout(() => {
      probe.kill();
    }, PROBE_MAX_MS);
  });
}

const firstLine = (text: string): string => text.trim().split("\n", 1)[0]?.slice(0, 300) ?? "";
