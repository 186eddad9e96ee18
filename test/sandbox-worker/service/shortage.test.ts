import { execFileSync } from "node:child_process";
import { connect } from "node:net";

import { afterEach, expect, it } from "vitest";

import { startSandboxService, until } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";

let service: SandboxService;
afterEach(async () => {
  await service.stop();
});

it("lives through a shortage of files, and serves again after it", async () => {
  service = await startSandboxService();
  const port = Number(new URL(service.url).port);
  execFileSync("/usr/bin/prlimit", ["--nofile=160:160", "--pid", String(service.pid)]);
  const sockets = Array.from({ length: 200 }, () =>
    connect(port, "127.0.0.1").on("error", () => {}),
  );
  const starved = service.run({}, {}, { signal: AbortSignal.timeout(1_000) });
  await Promise.allSettled([starved]);

  for (const socket of sockets) socket.destroy();

  const outcome = await until(async () => {
    const { result } = await service
      .run({}, { code: "export default () => 1" })
      .catch(() => ({ result: undefined }));
    return result?.outcome;
  });
  expect(outcome).toBe("ok");
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
});
