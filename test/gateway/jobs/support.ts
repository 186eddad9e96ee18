import { vi } from "vitest";

import type { JobEvent, JobView } from "../../../protocol/job.ts";
import {
  ENDED,
  playExecutor,
  playHost,
  playHosts,
  type PlayedExecutor,
  STARTED,
  stdout,
} from "../../durable-objects/job/support.ts";
import { type Answer, bearer, call } from "../support.ts";

/** The container-executor that the Worker under test knows, played; and its sandbox-worker. */
export function playLanes(sandbox?: Answer): PlayedExecutor {
  playHosts();
  const executor = playExecutor();
  executor.script = [STARTED, stdout("hello\n"), ENDED({ stdout: "hello\n" })];
  playHost("http://container.test", (request) => executor.answer(request));
  playHost("http://sandbox.test", async (request) => {
    if (sandbox === undefined) throw new Error("Network connection lost.");
    const { url, headers, signal } = request;
    const body = new TextDecoder().decode(await request.arrayBuffer());
    return sandbox({ url, headers, signal, body });
  });
  return executor;
}

export const BASH = { language: "bash", code: "echo hello" };

interface Options {
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export const send = (
  method: string,
  path: string,
  key: string,
  body?: unknown,
  { headers, signal }: Options = {},
): Promise<Response> =>
  call(path, {
    method,
    headers: {
      ...bearer(key),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });

export const submit = (key: string, body: unknown = BASH, headers: Record<string, string> = {}) =>
  send("POST", "/v1/jobs", key, body, { headers });

export async function submitted(key: string, body: unknown = BASH): Promise<JobView> {
  const response = await submit(key, body);
  if (response.status !== 202) throw new Error(await response.text());
  return response.json();
}

export async function jobOf(key: string, id: string): Promise<JobView> {
  return (await send("GET", `/v1/jobs/${id}`, key)).json();
}

/** The job once it is over. */
export const overOf = (key: string, id: string): Promise<JobView> =>
  vi.waitFor(
    async () => {
      const job = await jobOf(key, id);
      if (job.state === "queued" || job.state === "running") throw new Error(`it is ${job.state}`);
      return job;
    },
    { timeout: 8_000, interval: 20 },
  );

/** Events of an NDJSON text. */
export const eventsIn = (text: string): readonly JobEvent[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
