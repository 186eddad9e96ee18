import { describe, expect, test } from "vitest";

import { chooseArtifacts } from "../../../container-executor/runs/artifact-choice.ts";
import { orderRefusal } from "../../../container-executor/runs/order-check.ts";
import { pathProblem } from "../../../container-executor/runs/order-job.ts";
import { order } from "../../support/container-service.ts";
import type { OrderPart } from "../../support/container-service.ts";

const listing = (...paths: readonly string[]) => ({
  files: paths.map((path, index) => ({ index, path, bytes: 10, allocatedBytes: 10, mode: 0o644 })),
  complete: true,
});
const CAPS = { artifactFiles: 3, artifactBytes: 30 };

const chosen = (paths: readonly string[], globs: readonly string[]): readonly string[] =>
  chooseArtifacts(listing(...paths), globs, CAPS, "main.sh").chosen.map(({ path }) => path);

describe("artifacts", () => {
  test.for([
    ["no glob", ["a"], [], []],
    ["the program itself", ["main.sh", "b"], ["**"], ["b"]],
    ["any depth", ["x/y/z", "a"], ["**"], ["a", "x/y/z"]],
    ["one level", ["x/y", "a"], ["*"], ["a"]],
    ["hidden ones", [".a/b"], ["**"], [".a/b"]],
    ["line ends in names", ["a\nb/c\n"], ["a*/**"], ["a\nb/c\n"]],
    ["a negation among others", ["a", "b"], ["*", "!b"], ["a", "b"]],
    ["the platform's folder", [".bulkhead/stdout"], ["**"], []],
    ["the same name twice", ["a", "a"], ["*"], ["a"]],
  ] as const)("%s", ([, paths, globs, expected]) => {
    expect(chosen(paths, globs)).toEqual(expected);
  });

  test("caps are kept, and what is left is said", () => {
    const many = chooseArtifacts(listing("a", "b", "c", "d"), ["*"], CAPS, null);
    expect(many.chosen).toHaveLength(3);
    expect(many.left).toEqual([{ path: "d", reason: "over the cap of 3 files" }]);
    const large = chooseArtifacts(listing("a", "b"), ["*"], { ...CAPS, artifactBytes: 19 }, null);
    expect(large.left).toMatchObject([{ path: "b" }]);
    const names = Array.from({ length: 300 }, (_, i) => `f${i}`);
    expect(chooseArtifacts(listing(...names), ["*"], CAPS, null).left).toHaveLength(100);
  });

  test("a list that is not complete says so", () => {
    const short = chooseArtifacts({ ...listing("a"), complete: false }, ["*"], CAPS, null);
    expect(short.left).toMatchObject([{ path: "" }]);
  });
});

const POLICY = {
  ceilings: {
    wallMs: 60_000,
    cpuMs: null,
    memoryMb: 512,
    cpus: 2,
    pids: null,
    diskMb: 100,
    outputBytes: 1024 ** 3,
    outputFileBytes: 1024 ** 3,
    artifactFiles: 1000,
    artifactBytes: 1024 ** 3,
  },
  allowedImages: ["debian:*", "ghcr.io/acme/*", "pinned@sha256:*"],
  network: [],
} as const;

describe("orders that can never run here", () => {
  const cases: readonly (readonly [string, OrderPart, string | undefined])[] = [
    ["within all", { caps: { memoryMb: 512 } }, undefined],
    ["over a ceiling", { caps: { memoryMb: 513 } }, "above_ceiling"],
    ["unlimited under a ceiling", { caps: { cpus: null } }, "above_ceiling"],
    ["unlimited without a ceiling", { caps: { pids: null } }, undefined],
    ["an allowed image", { image: "debian:12" }, undefined],
    ["an allowed image of a registry", { image: "ghcr.io/acme/tool:1" }, undefined],
    ["a deeper path", { image: "ghcr.io/acme/other/tool:1" }, "image_not_allowed"],
    ["another image", { image: "alpine:3" }, "image_not_allowed"],
    ["an option for an image", { image: "debian:--privileged" }, "image_not_allowed"],
    ["a pinned one", { image: `pinned@sha256:${"a".repeat(64)}` }, undefined],
    ["a network", { net: ["example.com"] }, "network_not_allowed"],
  ];

  test.for(cases)("%s", ([, part, code]) => {
    expect(orderRefusal(order(part), POLICY)?.code).toBe(code);
  });
});

test.for([
  ["a/b.txt", undefined],
  ["..a", undefined],
  ["/a", "is not relative"],
  ["a/..", "is not normalised"],
  ["a/", "is not normalised"],
  ["a\0b", "holds a zero byte"],
  [".bulkhead/a", "is in the platform's folder"],
] as const)("path %j", ([path, problem]) => {
  expect(pathProblem(path)).toBe(problem);
});
