import { describe, expect, it } from "vitest";

import type { InitJob } from "../../../container-executor/channel/init-job.ts";
import { encodeJob } from "../../../container-executor/channel/job-frames.ts";
import { channelKeys, unseal } from "../../../container-executor/channel/seal.ts";

const keys = channelKeys(Buffer.alloc(16, 1));

const job: InitJob = {
  argv: ["true"],
  env: {},
  files: [],
  warmFrom: null,
  wantsValue: false,
  limits: { memoryBytes: null, cpuMs: null, processes: null, leaseMs: 1 },
};

describe("encodeJob()", () => {
  it("refuses strings that no process can be given", () => {
    expect(() => encodeJob({ ...job, argv: ["a\0b"] }, keys)).toThrow("zero byte");
    expect(() => encodeJob({ ...job, env: { A: "\0" } }, keys)).toThrow("zero byte");
  });

  it("takes arguments and environment up to a frame, and refuses more", () => {
    const argument = (bytes: number) => ["true", "x".repeat(bytes)];
    const rest = encodeJob({ ...job, argv: argument(0) }, keys).length - 5;
    const most = 4 * 1024 * 1024 - rest;
    expect(encodeJob({ ...job, argv: argument(most) }, keys)).toHaveLength(4 * 1024 * 1024 + 5);
    expect(() => encodeJob({ ...job, argv: argument(most + 1) }, keys)).toThrow(
      "take 4194305 bytes, more than 4194304",
    );
  });
});

describe("unseal()", () => {
  const secret = Buffer.alloc(16, 2);

  it("refuses what is too short for a seal, and a seal of something else", () => {
    expect(unseal(1, Buffer.alloc(15), secret)).toBeNull();
    expect(unseal(1, Buffer.alloc(40), secret)).toBeNull();
  });

  it("makes keys of which neither is the secret nor the other", () => {
    const { sync, seal } = channelKeys(secret);
    expect(sync.equals(seal) || sync.equals(secret) || seal.equals(secret)).toBe(false);
  });
});
