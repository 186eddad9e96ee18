import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { dockerHost } from "../../../scripts/setup/docker-api.ts";
import { startContainerService } from "../../support/container-service.ts";
import type { ContainerService } from "../../support/container-service.ts";
import { containersOf } from "../../support/engine-containers.ts";
import { joinEngine } from "../../support/engine.ts";
import type { TestEngine } from "../../support/engine.ts";

let engine: TestEngine;
let web: Server;
let port: number;
let service: ContainerService;

beforeAll(async () => {
  engine = await joinEngine();
  web = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
    request.on("end", () => response.end(`${request.method} ${request.url} ${bytes}\n`));
  });
  // On every address, the bridges' too: only the walls keep a container from it.
  await new Promise<void>((resolve) => web.listen(0, "0.0.0.0", resolve));
  ({ port } = web.address() as AddressInfo);
  service = await startContainerService({
    DOCKER_HOST: dockerHost(engine.endpoint),
    CONTAINER_NETWORK: "*",
    EGRESS_ALLOW_PRIVATE_HOSTS: `localhost:${port}`,
  });
}, 90_000);

afterAll(async () => {
  await service.stop();
  await containersOf(engine.endpoint, service.stateFolder).remove();
  service.removeState();
  web.close();
  await engine.leave();
}, 90_000);

const granted = async (code: string) =>
  (await service.run({ code, net: [`localhost:${port}`] })).result.stdout;

describe("a granted host", () => {
  test("is reached through the proxy, plain and by a tunnel", async () => {
    const curl = `curl -sS --noproxy '' http://localhost:${port}`;
    const stdout = await granted(`${curl}/plain; ${curl}/post -d abc; ${curl}/tunnel -p`);
    expect(stdout).toBe("GET /plain 0\nPOST /post 3\nGET /tunnel 0\n");
  });

  test("is no other host", async () => {
    const curl = "curl -sS -o /dev/null -w '%{http_code} %{http_connect}\\n'";
    const stdout = await granted(
      `${curl} http://example.com/; ${curl} https://example.com/ || true`,
    );
    expect(stdout).toBe("403 000\n000 403\n");
  });
});

describe("around the proxy", () => {
  test("nothing is reached: not the machine's own ports, not the metadata address, nothing outside", async () => {
    const probe = (url: string) => `curl -s -m 1 --noproxy '*' ${url} && echo reached`;
    const gateway = "$(echo $HTTP_PROXY | sed 's/.*@//; s/:[0-9]*$//')";
    const stdout = await granted(
      [
        probe(`http://${gateway}:${port}/`),
        probe("http://169.254.169.254/"),
        probe("http://1.1.1.1/"),
        "echo over",
      ].join("\n"),
    );
    expect(stdout).toBe("over\n");
  });

  test("the proxy serves nobody without a run's own credentials", async () => {
    const bare = "$(echo $HTTP_PROXY | sed 's#//.*@#//#')";
    const wrong = "$(echo $HTTP_PROXY | sed 's#:[0-9a-f]*@#:00@#')";
    const curl = "curl -s -o /dev/null -w '%{http_code}\\n' --noproxy ''";
    const stdout = await granted(
      `${curl} -x ${bare} http://localhost:${port}/; ${curl} -x ${wrong} http://localhost:${port}/`,
    );
    expect(stdout).toBe("407\n407\n");
  });
});

test("private addresses are refused though every host is granted", async () => {
  const { result } = await service.run({
    net: ["*"],
    code: `curl -sS --noproxy '' http://127.0.0.1:${port}/ http://10.0.0.1/ http://[::1]/`,
  });
  expect(result.stdout).toContain("loopback");
  expect(result.stdout).not.toContain("GET");
});

test("without a grant there is no network, and no proxy", async () => {
  const { result } = await service.run({ code: 'ls /sys/class/net; echo "[$HTTP_PROXY]"' });
  expect(result.stdout).toBe("lo\n[]\n");
});
