import { expect, it } from "vitest";

import { type Failure, FailureError, retryAfterMs, toProblem } from "../../protocol/failure.ts";

/** One failure of each code; a code without one does not compile. */
const FAILURES: { readonly [code in Failure["code"]]: Extract<Failure, { code: code }> } = {
  malformed_request: {
    code: "malformed_request",
    issues: [{ path: "limits.wallMs", message: "must be a number" }],
  },
  limit_out_of_range: {
    code: "limit_out_of_range",
    limit: "limits.wallMs",
    asked: 9,
    bound: "minimum",
    allowed: 10,
    setBy: "Bulkhead",
  },
  unauthenticated: { code: "unauthenticated", reason: "the key is revoked" },
  forbidden: { code: "forbidden", reason: 'the scope "run" is needed' },
  not_found: { code: "not_found", what: "this path" },
  method_not_allowed: { code: "method_not_allowed", allow: ["GET", "PUT"] },
  payload_too_large: { code: "payload_too_large", what: "source", limitBytes: 100 },
  unsupported_media_type: { code: "unsupported_media_type", expected: "application/json" },
  rate_limited: { code: "rate_limited", policy: "tenant", retryAfterMs: 1_500 },
  concurrency_limited: { code: "concurrency_limited", limit: 32, retryAfterMs: 1_000 },
  quota_exceeded: { code: "quota_exceeded", policy: "runs-per-day", retryAfterMs: 60_000 },
  lane_unavailable: { code: "lane_unavailable", lane: "browser", reason: "it is not there" },
  lane_full: { code: "lane_full", lane: "isolate", retryAfterMs: 1_000 },
  draining: { code: "draining", lane: "isolate", retryAfterMs: 1_000 },
  executor_unavailable: {
    code: "executor_unavailable",
    lane: "isolate",
    reason: "it does not answer",
    retryAfterMs: 1_000,
  },
  policy_unavailable: { code: "policy_unavailable", retryAfterMs: 1_000 },
  identity_unavailable: { code: "identity_unavailable", retryAfterMs: 5_000 },
  jobs_unavailable: { code: "jobs_unavailable", retryAfterMs: 5_000 },
  gone: { code: "gone", what: "the events after number 3" },
  conflict: { code: "conflict", reason: "the job is not over" },
  idempotency_conflict: { code: "idempotency_conflict" },
  idempotency_in_flight: { code: "idempotency_in_flight", retryAfterMs: 5_000 },
  queue_full: { code: "queue_full", limit: 1_000, retryAfterMs: 5_000 },
  executor_timeout: { code: "executor_timeout", lane: "isolate", limitMs: 300_000 },
  misconfigured: {
    code: "misconfigured",
    detail: "Cannot read the configuration: LEASE_MS is missing",
  },
  internal: { code: "internal" },
};

it.each(Object.values(FAILURES))("$code is told as", (failure) => {
  expect(toProblem(failure)).toMatchSnapshot();
});

it.each(Object.values(FAILURES))("$code reads as a sentence of the house", (failure) => {
  const { detail, status, type } = toProblem(failure);
  expect(detail).toMatch(/^Cannot .*[^.]$/);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(URL.canParse(type)).toBe(true);
  expect(new FailureError(failure).message).toBe(detail);
});

it("what waiting helps with says for how long", () => {
  const waits = Object.values(FAILURES).filter((failure) => retryAfterMs(failure) !== undefined);
  const statuses = new Set(waits.map((failure) => toProblem(failure).status));
  expect(statuses).toEqual(new Set([409, 429, 503]));
});
