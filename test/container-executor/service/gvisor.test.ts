import { describe, expect, test } from "vitest";

import { bytesOf } from "../../support/container-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const { service } = sharedContainerService({
  DOCKER_RUNTIME: "runsc",
  CONTAINER_NETWORK: "*",
  DRAIN_TIMEOUT_MS: "1000",
});

describe("under gVisor", () => {
  test("programs run, with input, output and files as anywhere", async () => {
    const { result, events } = await service().run({
      code: String.raw`uname -v; cat; printf '\xff' >&2; echo kept > out.txt`,
      stdin: "in\n",
      artifacts: ["*.txt"],
    });
    expect(result).toMatchObject({ outcome: "ok", artifacts: [{ path: "out.txt", bytes: 5 }] });
    expect(result.stdout).toContain("in\n");
    expect(bytesOf(events, "stderr")).toEqual(Buffer.from([0xff]));
  });

  test("memory, disk, CPU and wall time have their limits", async () => {
    const run = async (code: string, caps: object, runtime: "bash" | "python" = "bash") =>
      (await service().run({ code, caps, runtime })).result.outcome;
    expect(await run("x = bytearray(200 << 20)", { memoryMb: 64 }, "python")).toBe("memory_limit");
    expect(await run("x = bytearray(20 << 20)", { memoryMb: 64 }, "python")).toBe("ok");
    expect(await run("head -c 90000000 /dev/zero > big", {})).toBe("disk_limit");
    expect(await run("while :; do :; done", { cpuMs: 300 })).toBe("cpu_timeout");
    expect(await run("sleep 60", { wallMs: 300 })).toBe("wall_timeout");
  });

  test("processes are held by their own limit, without the sandbox's death", async () => {
    const { result } = await service().run({
      runtime: "python",
      code: [
        "import os, time",
        "children = 0",
        "try:",
        "  for _ in range(60):",
        "    if os.fork() == 0: time.sleep(60)",
        "    children += 1",
        "except OSError as error: print(error.errno)",
        "time.sleep(2.5)",
        "raise SystemExit(1 if children < 60 else 0)",
      ].join("\n"),
      caps: { pids: 16 },
    });
    expect(result).toMatchObject({ outcome: "process_limit", stdout: "11\n" });
  });

  test("a granted network leads to the proxy alone", async () => {
    const { result } = await service().run({
      net: ["example.org"],
      code: "curl -s -o /dev/null -w '%{http_code}\\n' http://example.com/; curl -s -m 1 --noproxy '*' http://1.1.1.1/ || echo closed",
    });
    expect(result.stdout).toBe("403\nclosed\n");
  });
});
