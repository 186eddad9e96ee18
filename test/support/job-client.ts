import type { JobEvent, JobView } from "../../protocol/job.ts";
import type { RunResult } from "../../protocol/run-result.ts";
import { until } from "./sandbox-service.ts";

/** Longest that a test waits for a job's end. */
const END_MAX_MS = 120_000;

/** A client of the job API, as strict as a careful user's. */
export class JobClient {
  readonly #gateway: string;
  readonly #key: string;

  constructor(gateway: string, key: string) {
    this.#gateway = gateway;
    this.#key = key;
  }

  /** Sends a request with the tenant's key. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#key}`, "content-type": "application/json" };
    return fetch(new URL(path, this.#gateway), {
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
    });
  }

  /** Runs and waits; throws where that is no 200. */
  async run(request: object): Promise<RunResult> {
    const response = await this.fetch("/v1/run", { method: "POST", body: JSON.stringify(request) });
    return (await read(response, 200)) as RunResult;
  }

  async submit(request: object, headers: Record<string, string> = {}): Promise<JobView> {
    const body = JSON.stringify(request);
    const response = await this.fetch("/v1/jobs", { method: "POST", body, headers });
    return (await read(response, 202)) as JobView;
  }

  /** Submits up to 100; all must be accepted. Gives their ids. */
  async submitAll(requests: readonly object[]): Promise<readonly string[]> {
    const body = JSON.stringify({ jobs: requests });
    const response = await this.fetch("/v1/jobs/batch", { method: "POST", body });
    const { results } = (await read(response, 200)) as {
      results: { status: number; job?: JobView; problem?: unknown }[];
    };
    return results.map(({ status, job, problem }) => {
      if (status !== 202 || job === undefined) throw new Error(JSON.stringify(problem));
      return job.id;
    });
  }

  async view(jobId: string): Promise<JobView> {
    return (await read(await this.fetch(`/v1/jobs/${jobId}`), 200)) as JobView;
  }

  /** Waits for a job's last state, through whatever happens to the gateway meanwhile. */
  async end(jobId: string): Promise<JobView> {
    return await until(async () => {
      try {
        const view = await this.view(jobId);
        return view.state === "queued" || view.state === "running" ? undefined : view;
      } catch {
        return undefined;
      }
    }, END_MAX_MS);
  }

  /** All events of a job, until its last. */
  async events(jobId: string, after = 0): Promise<readonly JobEvent[]> {
    const headers = { accept: "application/x-ndjson" };
    const response = await this.fetch(`/v1/jobs/${jobId}/events?after=${after}`, { headers });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return (await response.text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as JobEvent);
  }
}

async function read(response: Response, status: number): Promise<unknown> {
  const text = await response.text();
  if (response.status !== status) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text);
}
