import { createHash, createHmac, randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readConfig } from "../../egress-proxy/config.ts";
import { egressServer } from "../../egress-proxy/server.ts";
import { DELIVER_PATH, DELIVERED_STATUS_HEADER } from "../../protocol/egress-api.ts";
import { formatSignature, SIGNATURE_HEADER, signedText } from "../../protocol/signature.ts";
import { localServer } from "../egress/local-server.ts";

const SECRET = "e".repeat(32);
const BOOT = "boot-1";

interface Received {
  readonly path: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

let proxy: Server;
let receiver: Awaited<ReturnType<typeof localServer>>;
const received: Received[] = [];

beforeAll(async () => {
  receiver = await localServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      received.push({ path: request.url, headers: request.headers, body });
      if (request.url === "/slow") return;
      if (request.url === "/moved") response.writeHead(302, { Location: "/elsewhere" });
      else response.writeHead(Number(request.url?.slice(1)));
      response.end("said by the receiver");
    });
  });
  const config = readConfig({
    EXECUTOR_SECRET: `a:${SECRET}`,
    EGRESS_ALLOW_PRIVATE_HOSTS: `${receiver.host},127.0.0.1:1`,
    WEBHOOK_TIMEOUT_MS: "300",
  });
  proxy = egressServer(config, BOOT);
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  proxy.close();
  proxy.closeAllConnections();
  await receiver[Symbol.asyncDispose]();
});

async function send(body: string, sign = true): Promise<Response> {
  const { port } = proxy.address() as AddressInfo;
  const signed = {
    method: "POST",
    target: DELIVER_PATH,
    timestampMs: Date.now(),
    nonce: randomBytes(16).toString("hex"),
    bootId: BOOT,
    bodyDigest: createHash("sha256").update(body).digest("hex"),
  };
  const mac = createHmac("sha256", SECRET).update(signedText(signed)).digest("hex");
  const signature = formatSignature({ ...signed, secretId: "a", mac });
  return fetch(`http://127.0.0.1:${port}${DELIVER_PATH}`, {
    method: "POST",
    headers: sign ? { [SIGNATURE_HEADER]: signature } : {},
    body,
  });
}

const deliver = (url: string): Promise<Response> =>
  send(JSON.stringify({ url, headers: { "webhook-id": "m1" }, body: '{"a":1}' }));

describe("POST /v1/deliver", () => {
  it.each([200, 410, 500])(
    "tells the receiver's status %i, and nothing it says",
    async (status) => {
      const answer = await deliver(`${receiver.origin}/${status}`);

      expect(answer.status).toBe(204);
      expect(answer.headers.get(DELIVERED_STATUS_HEADER)).toBe(String(status));
      expect(received.at(-1)).toMatchObject({
        path: `/${status}`,
        headers: { "webhook-id": "m1" },
        body: '{"a":1}',
      });
    },
  );

  it("follows no redirect", async () => {
    const answer = await deliver(`${receiver.origin}/moved`);

    expect(answer.headers.get(DELIVERED_STATUS_HEADER)).toBe("302");
    expect(received.map(({ path }) => path)).not.toContain("/elsewhere");
  });

  it.each([
    "http://127.0.0.2/",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:127.0.0.1]/",
    "http://2130706433/",
    "http://localhost:9/",
    "file:///etc/passwd",
  ])("does not go to %s", async (url) => {
    expect((await deliver(url)).status).toBe(403);
  });

  it("says that a receiver is too slow", async () => {
    expect((await deliver(`${receiver.origin}/slow`)).status).toBe(504);
  });

  it("says that a receiver cannot be reached", async () => {
    expect((await deliver("http://127.0.0.1:1/")).status).toBe(502);
  });

  it("takes nothing that is not signed, and nothing malformed", async () => {
    const count = received.length;

    expect((await send("{}", false)).status).toBe(401);
    expect((await send("{}")).status).toBe(400);
    expect((await send("no JSON")).status).toBe(400);
    expect(received).toHaveLength(count);
  });
});

describe("readConfig()", () => {
  it("names every variable that it cannot read, and no secret", () => {
    const read = () => readConfig({ EXECUTOR_SECRET: "a:hunter2", PORT: "x" });

    expect(read).toThrow(/EXECUTOR_SECRET.*PORT|PORT.*EXECUTOR_SECRET/);
    expect(read).not.toThrow(/hunter2/);
  });
});
