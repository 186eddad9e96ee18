import type { Lane } from "./outcome.ts";

/** One thing wrong with a request, and where: `path` is dotted (`limits.wallMs`), empty for the whole. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/**
 * Why a request got no outcome.
 *
 * Plain data, so it survives a Durable Object call and a JSON body unchanged. Add an arm here and
 * the compiler points at `toProblem`, the one place that turns failures into what callers see.
 */
export type Failure =
  | { readonly code: "malformed_request"; readonly issues: readonly Issue[] }
  | {
      readonly code: "limit_out_of_range";
      readonly limit: string;
      readonly asked: number;
      readonly bound: "maximum" | "minimum";
      readonly allowed: number;
      readonly setBy: string;
    }
  | { readonly code: "unauthenticated"; readonly reason: string }
  | { readonly code: "forbidden"; readonly reason: string }
  | { readonly code: "not_found"; readonly what: string }
  | { readonly code: "gone"; readonly what: string }
  /** The request does not fit the state of what it names. */
  | { readonly code: "conflict"; readonly reason: string }
  | { readonly code: "idempotency_conflict" }
  | { readonly code: "idempotency_in_flight"; readonly retryAfterMs: number }
  | { readonly code: "method_not_allowed"; readonly allow: readonly string[] }
  | { readonly code: "payload_too_large"; readonly what: string; readonly limitBytes: number }
  | { readonly code: "unsupported_media_type"; readonly expected: string }
  | {
      readonly code: "rate_limited";
      readonly policy: string;
      readonly retryAfterMs: number;
    }
  | { readonly code: "concurrency_limited"; readonly limit: number; readonly retryAfterMs: number }
  | { readonly code: "quota_exceeded"; readonly policy: string; readonly retryAfterMs: number }
  | { readonly code: "queue_full"; readonly limit: number; readonly retryAfterMs: number }
  | { readonly code: "lane_unavailable"; readonly lane: Lane; readonly reason: string }
  | { readonly code: "lane_full"; readonly lane: Lane; readonly retryAfterMs: number }
  | { readonly code: "draining"; readonly lane: Lane; readonly retryAfterMs: number }
  | {
      readonly code: "executor_unavailable";
      readonly lane: Lane;
      readonly reason: string;
      readonly retryAfterMs: number;
    }
  | { readonly code: "policy_unavailable"; readonly retryAfterMs: number }
  | { readonly code: "identity_unavailable"; readonly retryAfterMs: number }
  /** What keeps jobs, their specs or their files cannot be asked now. */
  | { readonly code: "jobs_unavailable"; readonly retryAfterMs: number }
  | { readonly code: "executor_timeout"; readonly lane: Lane; readonly limitMs: number }
  | { readonly code: "misconfigured"; readonly detail: string }
  | { readonly code: "internal" };

/** RFC 9457 problem details, with the members every Bulkhead problem has. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: Failure["code"];
  readonly [extension: string]: unknown;
}

/** Carries a failure up the stack to the edge of a service. Anything else thrown is a bug. */
export class FailureError extends Error {
  override readonly name = "FailureError";
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(toProblem(failure).detail, options);
    this.failure = failure;
  }
}

/** How long a caller should wait before it tries again, where waiting helps; in milliseconds. */
export function retryAfterMs(failure: Failure): number | undefined {
  return "retryAfterMs" in failure ? failure.retryAfterMs : undefined;
}

const problemType = (code: Failure["code"]): string => `urn:bulkhead:problem:${code}`;

/** Registered by draft-ietf-httpapi-ratelimit-headers; clients that know the draft know these. */
const IANA = "https://iana.org/assignments/http-problem-types#";

/** What the outside may learn of a failure. The only place that decides it. */
export function toProblem(failure: Failure): Problem {
  const { code } = failure;
  switch (code) {
    case "malformed_request": {
      const first = failure.issues[0];
      const detail =
        first === undefined
          ? "Cannot read the request"
          : `Cannot read the request: ${first.path === "" ? "" : `${first.path}: `}${first.message}`;
      return {
        type: problemType(code),
        title: "Malformed request",
        status: 400,
        detail,
        code,
        issues: failure.issues,
      };
    }
    case "limit_out_of_range": {
      const { limit, asked, bound, allowed, setBy } = failure;
      const relation = bound === "maximum" ? "above" : "below";
      return {
        type: problemType(code),
        title: "Limit out of range",
        status: 400,
        detail: `Cannot apply ${limit}: asked for ${asked}, ${relation} the ${bound} of ${allowed} (${setBy})`,
        code,
        limit,
        asked,
        [bound]: allowed,
        setBy,
      };
    }
    case "unauthenticated":
      return {
        type: problemType(code),
        title: "Unauthenticated",
        status: 401,
        detail: `Cannot authenticate the request: ${failure.reason}`,
        code,
      };
    case "forbidden":
      return {
        type: problemType(code),
        title: "Forbidden",
        status: 403,
        detail: `Cannot allow the request: ${failure.reason}`,
        code,
      };
    case "not_found":
      return {
        type: problemType(code),
        title: "Not found",
        status: 404,
        detail: `Cannot find ${failure.what}`,
        code,
      };
    case "gone":
      return {
        type: problemType(code),
        title: "Gone",
        status: 410,
        detail: `Cannot find ${failure.what} any more`,
        code,
      };
    case "conflict":
      return {
        type: problemType(code),
        title: "Conflict",
        status: 409,
        detail: `Cannot do this now: ${failure.reason}`,
        code,
      };
    case "idempotency_conflict":
      return {
        type: problemType(code),
        title: "Idempotency key reused",
        status: 422,
        detail: "Cannot use this Idempotency-Key: it came with another request before",
        code,
      };
    case "idempotency_in_flight":
      return {
        type: problemType(code),
        title: "Request in flight",
        status: 409,
        detail: "Cannot answer yet: the first request with this Idempotency-Key is under way",
        code,
      };
    case "method_not_allowed":
      return {
        type: problemType(code),
        title: "Method not allowed",
        status: 405,
        detail: `Cannot use this method here: allowed are ${failure.allow.join(", ")}`,
        code,
        allow: failure.allow,
      };
    case "payload_too_large":
      return {
        type: problemType(code),
        title: "Payload too large",
        status: 413,
        detail: `Cannot take ${failure.what} of more than ${failure.limitBytes} bytes`,
        code,
        limitBytes: failure.limitBytes,
      };
    case "unsupported_media_type":
      return {
        type: problemType(code),
        title: "Unsupported media type",
        status: 415,
        detail: `Cannot read the body: its Content-Type must be ${failure.expected}`,
        code,
      };
    case "rate_limited":
      return {
        type: `${IANA}quota-exceeded`,
        title: "Rate limited",
        status: 429,
        detail: `Cannot accept the request now: the rate limit "${failure.policy}" is used up`,
        code,
        "violated-policies": [failure.policy],
      };
    case "concurrency_limited":
      return {
        type: `${IANA}quota-exceeded`,
        title: "Too many runs at once",
        status: 429,
        detail: `Cannot start another run: ${failure.limit} of this tenant are under way`,
        code,
        "violated-policies": ["concurrency"],
      };
    case "quota_exceeded":
      return {
        type: `${IANA}quota-exceeded`,
        title: "Quota exceeded",
        status: 429,
        detail: `Cannot accept the request in this period: the quota "${failure.policy}" is used up`,
        code,
        "violated-policies": [failure.policy],
      };
    case "queue_full":
      return {
        type: `${IANA}quota-exceeded`,
        title: "Queue full",
        status: 429,
        detail: `Cannot queue another job: ${failure.limit} of this tenant wait already`,
        code,
        "violated-policies": ["queue"],
      };
    case "lane_unavailable":
      return {
        type: problemType(code),
        title: "Lane not available",
        status: 501,
        detail: `Cannot run this on the ${failure.lane} lane: ${failure.reason}`,
        code,
        lane: failure.lane,
      };
    case "lane_full":
      return {
        type: `${IANA}temporary-reduced-capacity`,
        title: "Lane full",
        status: 503,
        detail: `Cannot start the run now: every place and the wait queue of the ${failure.lane} lane are taken`,
        code,
        lane: failure.lane,
      };
    case "draining":
      return {
        type: `${IANA}temporary-reduced-capacity`,
        title: "Draining",
        status: 503,
        detail: `Cannot start the run now: the ${failure.lane} lane is shutting down`,
        code,
        lane: failure.lane,
      };
    case "executor_unavailable":
      return {
        type: problemType(code),
        title: "Executor unavailable",
        status: 503,
        detail: `Cannot reach an executor of the ${failure.lane} lane: ${failure.reason}`,
        code,
        lane: failure.lane,
      };
    case "policy_unavailable":
      return {
        type: problemType(code),
        title: "Policy unavailable",
        status: 503,
        detail: "Cannot check the tenant's limits now, and nothing runs unchecked",
        code,
      };
    case "identity_unavailable":
      return {
        type: problemType(code),
        title: "Identity unavailable",
        status: 503,
        detail: "Cannot check the token now: its issuer's keys cannot be read",
        code,
      };
    case "jobs_unavailable":
      return {
        type: problemType(code),
        title: "Jobs unavailable",
        status: 503,
        detail: "Cannot reach what keeps jobs now",
        code,
      };
    case "executor_timeout":
      return {
        type: problemType(code),
        title: "Executor timed out",
        status: 504,
        detail: `Cannot get an answer from the ${failure.lane} lane within ${failure.limitMs} ms`,
        code,
        lane: failure.lane,
      };
    case "misconfigured":
      return {
        type: problemType(code),
        title: "Misconfigured",
        status: 500,
        detail: failure.detail,
        code,
      };
    case "internal":
      return {
        type: problemType(code),
        title: "Internal error",
        status: 500,
        detail: "Cannot complete the request",
        code,
      };
  }
}
