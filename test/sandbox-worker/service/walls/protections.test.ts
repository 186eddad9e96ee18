import { describe, expect, it } from "vitest";

import {
  missingProtections,
  protectionsOf,
} from "../../../../sandbox-worker/service/walls/protections.ts";

const status = (part: Readonly<Record<string, string>> = {}): string =>
  Object.entries({
    Uid: "200001\t200001\t200001\t200001",
    CapInh: "0000000000000000",
    CapPrm: "0000000000000000",
    CapEff: "0000000000000000",
    CapBnd: "0000000000000000",
    NoNewPrivs: "1",
    Seccomp: "2",
    ...part,
  })
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join("");

const own = { status: "", namespaces: { pid: "pid:[1]", mnt: "mnt:[1]", net: "net:[1]" } };
const cage = {
  status: status(),
  namespaces: { pid: "pid:[2]", mnt: "mnt:[2]", net: "net:[2]" },
};
const probe = { uid: 200_001, permissions: true, heldByGroup: true };

describe("protectionsOf()", () => {
  it("finds every wall that the kernel says stands", () => {
    const protections = protectionsOf(cage, own, probe);

    expect(Object.values(protections)).toEqual(Object.keys(protections).map(() => true));
    expect(missingProtections(protections)).toEqual([]);
  });

  it.each([
    ["pidNamespace", { ...cage, namespaces: { ...cage.namespaces, pid: "pid:[1]" } }],
    ["mountNamespace", { ...cage, namespaces: { ...cage.namespaces, mnt: "" } }],
    ["networkNamespace", { ...cage, namespaces: { ...cage.namespaces, net: "net:[1]" } }],
    ["ownUid", { ...cage, status: status({ Uid: "0\t200001\t200001\t200001" }) }],
    ["ownUid", { ...cage, status: status({ CapBnd: "0000000000000001" }) }],
    ["noNewPrivileges", { ...cage, status: status({ NoNewPrivs: "0" }) }],
  ] as const)("misses %s where it does not", (name, facts) => {
    const protections = protectionsOf(facts, own, probe);

    expect(missingProtections(protections)).toEqual([name]);
  });

  it("requires neither the filter nor the group, and says so where they are not", () => {
    const facts = { ...cage, status: status({ Seccomp: "0" }) };
    const protections = protectionsOf(facts, own, { ...probe, heldByGroup: false });

    expect(protections).toMatchObject({ seccomp: false, cgroupMemory: false });
    expect(missingProtections(protections)).toEqual([]);
  });

  it("requires Node's permissions", () => {
    const protections = protectionsOf(cage, own, { ...probe, permissions: false });

    expect(missingProtections(protections)).toEqual(["nodePermissions"]);
  });
});
