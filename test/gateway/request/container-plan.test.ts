import { describe, expect, it } from "vitest";

import { readConfig } from "../../../gateway/config.ts";
import { planContainerRun } from "../../../gateway/request/container-plan.ts";
import { ContainerOrder } from "../../../protocol/container-api.ts";
import { ContainerRequest } from "../../../protocol/run-request.ts";
import type { TenantOverrides } from "../../../protocol/tenant.ts";

const variables = {
  KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
  EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
  ADMIN_TOKEN: "t".repeat(32),
  SANDBOX_URLS: "http://127.0.0.1:1",
  CONTAINER_SOURCE_BYTES: "100",
  CONTAINER_FILES_BYTES: "50",
  CONTAINER_NETWORK: "*.example.com",
  ALLOWED_IMAGES: "debian:*,registry.test/team/**,alpine@sha256:*",
  DOCKER_CPU_LIMIT_MAX: "4",
};

interface Around {
  readonly inputJson?: string;
  readonly overrides?: TenantOverrides;
  readonly changes?: object;
}

const plan = (fields: object, { inputJson, overrides = {}, changes = {} }: Around = {}) =>
  planContainerRun(
    "acme",
    ContainerRequest.parse(fields),
    inputJson ?? null,
    { version: 1, overrides },
    readConfig({ ...variables, ...changes }),
  );

const bash = { language: "bash", code: "ls" };
const JOB = `job_${"a".repeat(26)}`;

/** The one issue that a request is refused for. */
function issueOf(fields: object, around: Around = {}) {
  const planned = plan(fields, around);
  if (planned.ok || planned.failure.code !== "malformed_request") return planned;
  return planned.failure.issues[0];
}

describe("planContainerRun()", () => {
  it("makes an order that an executor takes once it has a run id and its files", () => {
    const planned = plan({
      ...bash,
      stdin: "in",
      args: ["a"],
      env: { K: "v" },
      artifacts: ["out/**"],
      permissions: { net: ["api.example.com"] },
      limits: { cpus: 2.5 },
    });
    expect(planned).toMatchObject({
      value: {
        net: ["api.example.com"],
        reachesOutside: true,
        limits: {
          cpus: { value: 2.5, setBy: "request" },
          memoryMb: { value: 2_048, setBy: "DOCKER_MEMORY_LIMIT" },
          cpuMs: { value: null, setBy: "CONTAINER_CPU_MS" },
        },
        work: { lane: "container", order: { tenant: "acme", runtime: "bash", image: null } },
      },
    });
    if (!planned.ok) return;
    const { order } = planned.value.work;
    const runId = `${JOB}.1`;
    expect(ContainerOrder.parse({ ...order, runId, files: [] })).toMatchObject({
      code: "ls",
      stdin: "in",
      args: ["a"],
      env: { K: "v" },
      artifacts: ["out/**"],
      caps: { wallMs: 300_000, cpus: 2.5, cpuMs: null, pids: 1_000, artifactFiles: 1_000 },
    });
  });

  it("counts a run that keeps nothing and reaches nobody as reaching nothing outside", () => {
    expect(plan(bash)).toMatchObject({ value: { reachesOutside: false, net: [] } });
    expect(plan({ ...bash, artifacts: ["a"] })).toMatchObject({ value: { reachesOutside: true } });
  });

  it("keeps as much of the output whole as may be told live", () => {
    const changes = { CONTAINER_OUTPUT_FILE_BYTES: "10", CONTAINER_OUTPUT_BYTES: "100" };
    expect(plan(bash, { changes })).toMatchObject({
      value: { work: { order: { caps: { outputBytes: 100, outputFileBytes: 100 } } } },
    });
  });

  it.each([
    [{ code: "ls" }, "language"],
    [{ ...bash, image: "debian:12" }, "image"],
    [{ image: "debian:12 --privileged" }, "image"],
    [{ language: "python" }, "code"],
    [{ ...bash, modules: { "a.ts": "" } }, "modules"],
    [{ ...bash, artifacts: ["../x"] }, "artifacts.0"],
    [{ ...bash, artifacts: ["ok", "/etc/passwd"] }, "artifacts.1"],
    [{ ...bash, artifacts: ["+(a|a)*"] }, "artifacts.0"],
    [{ ...bash, artifacts: ["!x"] }, "artifacts.0"],
    [{ ...bash, artifacts: [""] }, "artifacts.0"],
  ])("refuses %j by %s", (fields, path) => {
    expect(issueOf(fields)).toMatchObject({ path });
  });

  it("takes an input for JavaScript and TypeScript alone, as the text it is", () => {
    const around = { inputJson: "1.0" };
    expect(plan({ language: "typescript", code: "1" }, around)).toMatchObject({
      value: { work: { order: { runtime: "typescript", inputJson: "1.0" } } },
    });
    expect(issueOf(bash, around)).toMatchObject({ path: "input" });
  });

  it.each([
    ["debian:12", true],
    ["debian", false],
    ["debian:12/x", false],
    ["registry.test/team/a/b:1", true],
    ["registry.test/other/a", false],
    ["alpine@sha256:00", true],
    ["evil/debian:12", false],
  ])("image %s may run: %s", (image, may) => {
    const failure = { code: "forbidden", reason: expect.stringContaining("ALLOWED_IMAGES") };
    expect(plan({ image })).toMatchObject(may ? { ok: true } : { ok: false, failure });
  });

  it("refuses every image where none is allowed", () => {
    expect(plan({ image: "debian:12" }, { changes: { ALLOWED_IMAGES: "" } }).ok).toBe(false);
  });

  it.each([
    [["a.example.com"], {}, {}, true],
    [["*"], {}, {}, false],
    [["a.example.com"], { CONTAINER_NETWORK: "none" }, {}, false],
    [[], { CONTAINER_NETWORK: "none" }, {}, true],
    [["a.example.com"], {}, { net: [] }, false],
    [["*"], { CONTAINER_NETWORK: "*" }, {}, true],
    [["*"], { CONTAINER_NETWORK: "*" }, { net: ["a.example.com"] }, false],
  ])("hosts %j with %j and the tenant's %j are granted: %s", (net, changes, overrides, granted) => {
    const planned = plan({ ...bash, permissions: { net } }, { changes, overrides });
    expect(planned).toMatchObject(granted ? { ok: true } : { failure: { code: "forbidden" } });
  });

  it.each([
    [{ ...bash, code: "x".repeat(100) }, true],
    [{ ...bash, code: "x".repeat(101) }, false],
    [{ ...bash, code: "é".repeat(51) }, false],
    [{ ...bash, args: ["x".repeat(131_072)] }, true],
    [{ ...bash, args: Array.from({ length: 9 }, () => "x".repeat(131_072)) }, false],
  ])("refuses what is too large", (fields, fits) => {
    const failure = { code: "payload_too_large" };
    expect(plan(fields)).toMatchObject(fits ? { ok: true } : { ok: false, failure });
  });
});

describe("files of a container run", () => {
  const filesOf = (...files: readonly object[]) => plan({ ...bash, files });

  it("come as text, as base64, or from an earlier job", () => {
    expect(
      filesOf(
        { path: "a.txt", content: "é" },
        { path: "run.sh", base64: "bHM=", mode: "0755" },
        { path: "in/old", artifact: { job: JOB, path: "out/x y" } },
      ),
    ).toMatchObject({
      value: {
        work: {
          files: [
            { path: "a.txt", mode: 0o644, base64: "w6k=" },
            { path: "run.sh", mode: 0o755, base64: "bHM=" },
            { path: "in/old", mode: null, artifact: { job: JOB, path: "out/x y" } },
          ],
        },
      },
    });
  });

  it("hold modules, too, beside the code", () => {
    const fields = { language: "typescript", code: "1", modules: { "lib/a.ts": "2" } };
    expect(plan(fields)).toMatchObject({
      value: { work: { files: [{ path: "lib/a.ts", base64: btoa("2") }] } },
    });
    expect(issueOf({ ...fields, modules: { "main.mts": "" } })).toMatchObject({
      path: "modules.main.mts",
    });
  });

  it.each([
    [[{ path: "a" }], "files.0"],
    [[{ path: "a", content: "", base64: "" }], "files.0"],
    [
      [
        { path: "a", content: "" },
        { path: "a", content: "" },
      ],
      "files.1.path",
    ],
    [
      [
        { path: "a/b", content: "" },
        { path: "a", content: "" },
      ],
      "files.1",
    ],
    [[{ path: ".bulkhead/stdout", content: "" }], "files.0.path"],
    [[{ path: ".bulkhead", content: "" }], "files.0.path"],
    [[{ path: "é".repeat(128), content: "" }], "files.0.path"],
  ])("%j are refused by %s", (files, path) => {
    expect(issueOf({ ...bash, files })).toMatchObject({ path });
  });

  it.each([
    [[{ path: "a", content: "x".repeat(50) }], true],
    [[{ path: "a", content: "x".repeat(51) }], false],
    [[{ path: "a", base64: btoa("x".repeat(50)) }], true],
    [[{ path: "a", base64: btoa("x".repeat(51)) }], false],
    [
      [
        { path: "a", content: "x".repeat(30) },
        { path: "b", content: "x".repeat(21) },
      ],
      false,
    ],
  ])("are counted in bytes, all together", (files, fits) => {
    const failure = { code: "payload_too_large", what: "files", limitBytes: 50 };
    expect(filesOf(...files)).toMatchObject(fits ? { ok: true } : { ok: false, failure });
  });
});
