import { exports } from "cloudflare:workers";
import { vi } from "vitest";

import type { ConsoleLine, ExecutorResult, RunLine } from "../../protocol/sandbox-api.ts";
import type { KeyRequest, MintedKey } from "../../protocol/tenant.ts";

export const ORIGIN = "https://gateway.test";
export const ADMIN = { Authorization: `Bearer ${"t".repeat(32)}` };

/** Calls the Worker as a client does. */
export const call = (path: string, init?: RequestInit): Promise<Response> =>
  exports.default.fetch(`${ORIGIN}${path}`, init);

/** A key of a tenant, its own unless one is named. */
export async function newKey(
  tenant: string = newTenantId(),
  request: Partial<KeyRequest> = {},
): Promise<MintedKey> {
  const response = await call(`/admin/tenants/${tenant}/keys`, {
    method: "POST",
    headers: ADMIN,
    body: JSON.stringify(request),
  });
  if (response.status !== 201) throw new Error(await response.text());
  return response.json();
}

let tenants = 0;
export const newTenantId = (): string => `t${++tenants}-${crypto.randomUUID().slice(0, 8)}`;

export async function setOverrides(tenant: string, overrides: object): Promise<void> {
  const body = JSON.stringify(overrides);
  const response = await call(`/admin/tenants/${tenant}`, { method: "PUT", headers: ADMIN, body });
  if (response.status !== 200) throw new Error(await response.text());
}

export const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

/** A body of `POST /v1/run`; text goes as it is. */
export function postRun(
  key: string,
  body: unknown = { language: "javascript", code: "export default 1" },
  options: { readonly headers?: Record<string, string>; readonly query?: string } = {},
): Promise<Response> {
  return call(`/v1/run${options.query ?? ""}`, {
    method: "POST",
    headers: { ...bearer(key), "Content-Type": "application/json", ...options.headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export const executorResult = (changes: Partial<ExecutorResult> = {}): ExecutorResult => ({
  runId: "run_x",
  outcome: "ok",
  certainty: "certain",
  started: true,
  valueJson: "3",
  encoding: "json",
  error: null,
  stdout: "",
  stderr: "",
  console: [],
  truncated: null,
  usage: { queueMs: 0, wallMs: 2, cpuMs: 1, memoryPeakBytes: 0, fetches: 0 },
  ...changes,
});

export const consoleLine = (text: string): ConsoleLine => ({
  level: "log",
  stream: "stdout",
  atMs: 1,
  text,
});

/** What an executor answers. Made anew for each request: no request may read another's body. */
export type Answer = (request: SeenRequest) => Response | Promise<Response>;

/** Lines as a sandbox-worker answers them. */
export const linesOf =
  (...lines: readonly RunLine[]): Answer =>
  () =>
    new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));

export const ended = (changes: Partial<ExecutorResult> = {}): Answer =>
  linesOf({ end: executorResult(changes) });

/** A request as a sandbox-worker would see it. */
export interface SeenRequest {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal | null;
}

/**
 * Plays the sandbox-workers for faults of the protocol that a real one cannot be made to show.
 *
 * Each answer is used once, in order, the last one for ever; an `Error` is a connection that failed.
 */
export function playExecutors(...answers: readonly (Answer | Error)[]): readonly SeenRequest[] {
  const seen: SeenRequest[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (target, init) => {
    const request: SeenRequest = {
      url: String(target instanceof Request ? target.url : target),
      headers: new Headers(init?.headers),
      body: init?.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : "",
      signal: init?.signal ?? null,
    };
    const answer = answers[Math.min(seen.length, answers.length - 1)];
    seen.push(request);
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error("no answer");
    return answer(request);
  });
  return seen;
}

/** A run that says `lines` and then nothing more until it is abandoned. */
export function endless(...lines: readonly RunLine[]): {
  readonly answer: Answer;
  readonly wasAbandoned: () => boolean;
} {
  let abandoned = false;
  const answer: Answer = ({ signal }) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const encoder = new TextEncoder();
        for (const line of lines) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
        signal?.addEventListener("abort", () => {
          abandoned = true;
          controller.error(new Error("aborted"));
        });
      },
      cancel() {
        abandoned = true;
      },
    });
    return new Response(body);
  };
  return { answer, wasAbandoned: () => abandoned };
}

/** A body as text, whatever its type says. */
export const textOf = async (response: Response): Promise<string> =>
  new TextDecoder().decode(await response.arrayBuffer());

export interface ProblemBody {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  readonly [extension: string]: unknown;
}

/** A problem's body, after a look at the headers that every problem has. */
export async function problemOf(response: Response): Promise<ProblemBody> {
  const problem: ProblemBody = await response.json();
  const type = response.headers.get("Content-Type");
  if (type !== "application/problem+json" || problem.status !== response.status) {
    throw new Error(`Not problem details: ${type} ${JSON.stringify(problem)}`);
  }
  return problem;
}
