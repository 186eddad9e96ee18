import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";

import Docker, { type ContainerCreateOptions } from "dockerode";
import { z } from "zod";

import { type Served, serveLoads } from "../load/serve-loads.ts";

/** A container for each run, by the engine's own means and nothing else. */
export const PlainTarget = z.strictObject({
  endpoint: z.union([
    z.strictObject({ kind: z.literal("socket"), socketPath: z.string() }),
    z.strictObject({ kind: z.literal("tcp"), host: z.string(), port: z.number() }),
  ]),
  how: z.discriminatedUnion("kind", [
    /** `docker run`, a process for each. */
    z.strictObject({
      kind: z.literal("command"),
      dockerHost: z.string(),
      args: z.array(z.string()),
    }),
    /** Create, attach, start, wait, remove; without a reader nobody attaches. */
    z.strictObject({ kind: z.literal("api"), options: z.unknown(), reads: z.boolean() }),
  ]),
  stdout: z.string(),
});
export type PlainTarget = z.infer<typeof PlainTarget>;

interface PlainRun {
  readonly firstOutputMs: number;
  readonly stdout: string | null;
  readonly exitCode: number;
}

async function byCommand(dockerHost: string, args: readonly string[]): Promise<PlainRun> {
  const began = performance.now();
  const child = spawn("docker", args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], DOCKER_HOST: dockerHost },
  });
  let stdout = "";
  let firstOutputMs = Number.NaN;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (stdout === "") firstOutputMs = performance.now() - began;
    stdout += text;
  });
  const [exitCode] = (await once(child, "close")) as [number];
  return { firstOutputMs, stdout, exitCode };
}

async function byApi(
  docker: Docker,
  options: ContainerCreateOptions,
  reads: boolean,
): Promise<PlainRun> {
  const began = performance.now();
  const container = await docker.createContainer(options);
  try {
    let stdout = "";
    let firstOutputMs = Number.NaN;
    let read = Promise.resolve();
    if (reads) {
      const attached = await container.attach({ stream: true, stdout: true, stderr: true });
      const out = new PassThrough().setEncoding("utf8");
      docker.modem.demuxStream(attached, out, process.stderr);
      out.on("data", (text: string) => {
        if (stdout === "") firstOutputMs = performance.now() - began;
        stdout += text;
      });
      read = finished(attached, { writable: false });
    }
    await container.start();
    const { StatusCode } = (await container.wait()) as { readonly StatusCode: number };
    await read;
    return { firstOutputMs, stdout: reads ? stdout : null, exitCode: StatusCode };
  } finally {
    await container.remove({ force: true });
  }
}

function callOf({ endpoint, how }: PlainTarget): () => Promise<PlainRun> {
  if (how.kind === "command") return () => byCommand(how.dockerHost, how.args);
  const docker = new Docker(
    endpoint.kind === "socket"
      ? { socketPath: endpoint.socketPath }
      : { host: endpoint.host, port: endpoint.port, protocol: "http" },
  );
  return () => byApi(docker, how.options as ContainerCreateOptions, how.reads);
}

serveLoads((given): Promise<Served<PlainRun>> => {
  const target = PlainTarget.parse(given);
  return Promise.resolve({
    call: callOf(target),
    check({ firstOutputMs, stdout, exitCode }) {
      if (exitCode === 0 && stdout === null) return {};
      if (exitCode === 0 && stdout === target.stdout) return { firstOutputMs };
      throw new Error(`Cannot use a plain container: it ended with ${exitCode}, "${stdout ?? ""}"`);
    },
    close: () => Promise.resolve(),
  });
});
