import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startSandboxService, until } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";

let service: SandboxService;
let outside: Server;
let host: string;
let open = 0;
let hits = 0;

beforeAll(async () => {
  outside = createServer((request, response) => {
    hits++;
    open++;
    response.once("close", () => open--);
    if (request.url === "/hang") return;
    if (request.url?.startsWith("/bytes/") === true) {
      response.end(Buffer.alloc(Number(request.url.slice(7)), "x"));
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.setHeader("X-Method", request.method ?? "");
      response.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((listening) => outside.listen(0, "127.0.0.1", listening));
  host = `127.0.0.1:${(outside.address() as AddressInfo).port}`;
  service = await startSandboxService({ EGRESS_ALLOW_PRIVATE_HOSTS: host });
});
afterAll(async () => {
  await service.stop();
  outside.closeAllConnections();
  outside.close();
});

const fetching = (path: string, then = "(await response.text()).length") => ({
  code: `export default async () => {
    const response = await fetch("http://${host}${path}");
    return ${then};
  }`,
});
const caught = (body: string) => ({
  code: `export default async () => {
    try { ${body} } catch (error) { return error.name + ": " + error.message; }
  }`,
});

describe("a guest's fetch", () => {
  it("waits for a guest that is busy, with many others, and nothing is complained of", async () => {
    const code = `export default async () => {
      const one = () => fetch("http://${host}/bytes/300000").then((response) => response.text());
      const all = Array.from({ length: 18 }, one);
      await new Promise((done) => setTimeout(done, 30));
      for (const start = performance.now(); performance.now() - start < 300;);
      return (await Promise.all(all)).length;
    }`;

    const { result } = await service.run({ net: ["*"] }, { code });

    expect(result).toMatchObject({ outcome: "ok", valueJson: "18" });
    expect(service.complaints()).toBe("");
  });

  it("is made by the service, body and headers both ways", async () => {
    const code = `export default async () => {
      const response = await fetch("http://${host}/", { method: "POST", body: "hello" });
      return [response.status, response.headers.get("x-method"), await response.text()];
    }`;

    const { result } = await service.run({ net: ["127.0.0.1"] }, { code });

    expect(result).toMatchObject({ outcome: "ok", valueJson: '[200,"POST","hello"]' });
    expect(result?.usage.fetches).toBe(1);
  });

  it("reaches nothing that was not granted", async () => {
    const before = hits;
    const work = caught(`await fetch("http://${host}/")`);

    const { result } = await service.run({ net: ["example.com"] }, work);

    expect(result?.outcome).toBe("ok");
    expect(result?.valueJson).not.toBe("null");
    expect(hits).toBe(before);
  });

  it("brings large bodies whole", async () => {
    const { result } = await service.run({ net: ["*"] }, fetching("/bytes/5000000"));

    expect(result).toMatchObject({ outcome: "ok", valueJson: "5000000" });
  });

  it("stops at the run's bytes, over all its fetches", async () => {
    const caps = { fetchBytes: 150_000 };
    const under = await service.run({ net: ["*"], caps }, fetching("/bytes/150000"));
    const over = await service.run(
      { net: ["*"], caps },
      caught(`
        await (await fetch("http://${host}/bytes/100000")).text();
        await (await fetch("http://${host}/bytes/100000")).text();
        return "both";`),
    );

    expect(under.result).toMatchObject({ valueJson: "150000" });
    expect(over.result?.valueJson).toMatch(/Cannot take more/);
  });

  it("stops at the run's number of requests", async () => {
    const work = caught(
      `for (let i = 0; i < 3; i++) await (await fetch("http://${host}/")).text(); return "all";`,
    );

    const under = await service.run({ net: ["*"], caps: { fetches: 3 } }, work);
    const over = await service.run({ net: ["*"], caps: { fetches: 2 } }, work);

    expect(under.result?.valueJson).toBe('"all"');
    expect(over.result?.valueJson).toMatch(/2 requests/);
    expect(over.result?.usage.fetches).toBe(2);
  });

  it("ends at its own time", async () => {
    const work = caught(`await fetch("http://${host}/hang"); return "answered";`);

    const { result } = await service.run({ net: ["*"], caps: { fetchMs: 200 } }, work);

    expect(result?.outcome).toBe("ok");
    expect(result?.valueJson).not.toBe('"answered"');
  });

  it("is dropped with its run", async () => {
    const before = hits;
    const running = service.run(
      { net: ["*"], caps: { wallMs: 400, fetchMs: 60_000 } },
      fetching("/hang"),
    );
    await until(() => hits > before);

    expect((await running).result?.outcome).toBe("wall_timeout");
    expect(await until(() => open === 0)).toBe(true);
  });
});
