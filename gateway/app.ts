import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { requestId } from "hono/request-id";

import { type Failure, FailureError } from "../protocol/failure.ts";
import { problemResponse } from "./answer/problem-response.ts";
import type { AppEnv } from "./app-env.ts";
import { logRequest } from "./middleware/log-request.ts";
import { account } from "./routes/account.ts";
import { admin } from "./routes/admin.ts";
import { artifacts } from "./routes/artifacts.ts";
import { documents } from "./routes/documents.ts";
import { health } from "./routes/health.ts";
import { jobEvents } from "./routes/job-events.ts";
import { jobs } from "./routes/jobs.ts";
import { queue } from "./routes/queue.ts";
import { run } from "./routes/run.ts";
import { tickets } from "./routes/tickets.ts";
import { type Services, servicesOf } from "./services.ts";

/** The gateway: its middleware in the order a request meets it, its routes, its one error handler. */
export function createApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.use(requestId());
  app.use(withServices);
  app.use(logRequest);
  app.use(withCors);
  app.use(withBodyLimit);

  app.route("/", run);
  app.route("/", jobs);
  app.route("/", jobEvents);
  app.route("/", artifacts);
  app.route("/", queue);
  app.route("/", tickets);
  app.route("/", account);
  app.route("/", admin);
  app.route("/", health);
  app.route("/", documents);

  app.notFound((c) => answerFailure(c, notFoundFailure(app, c)));
  app.onError((error, c) => answerFailure(c, failureOf(error, c)));
  return app;
}

const withServices = createMiddleware<AppEnv>(async (c, next) => {
  c.header("X-Content-Type-Options", "nosniff");
  c.set("services", readServices(c.env));
  await next();
});

/** What a page of another origin may read of an answer. */
const EXPOSED_HEADERS = [
  "Content-Range",
  "ETag",
  "Idempotent-Replayed",
  "Location",
  "Preference-Applied",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "X-Request-Id",
];

const corsForListed = cors({
  origin: (origin, c: Context<AppEnv>) =>
    c.get("services").config.corsOrigins.includes(origin) ? origin : null,
  allowHeaders: [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Api-Key",
    "X-Request-Id",
  ],
  exposeHeaders: EXPOSED_HEADERS,
  maxAge: 600,
});

const withCors = createMiddleware<AppEnv>((c, next) =>
  c.req.raw.headers.has("Origin") ? corsForListed(c, next) : next(),
);

const withBodyLimit = createMiddleware<AppEnv>((c, next) => {
  if (c.req.raw.body === null) return next();
  const limitBytes = c.get("services").config.bodyMaxBytes;
  const onError = (): never => {
    throw new FailureError({ code: "payload_too_large", what: "a body", limitBytes });
  };
  return bodyLimit({ maxSize: limitBytes, onError })(c, next);
});

/** @throws {FailureError} Where the configuration cannot be read: no route works then. */
function readServices(env: Env): Services {
  try {
    return servicesOf(env);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new FailureError({ code: "misconfigured", detail: error.message }, { cause: error });
  }
}

function answerFailure(c: Context<AppEnv>, failure: Failure): Response {
  return problemResponse(c, failure, c.get("requestId"));
}

function failureOf(error: Error, c: Context<AppEnv>): Failure {
  if (error instanceof FailureError) return error.failure;
  console.error({ event: "internal_error", requestId: c.get("requestId"), error });
  return { code: "internal" };
}

const METHODS = ["GET", "POST", "PUT", "DELETE"] as const;

/** Another method's route at the same path makes it 405; middleware, which is for all, does not. */
function notFoundFailure(app: Hono<AppEnv>, c: Context<AppEnv>): Failure {
  const allow = METHODS.filter((method) =>
    app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method),
  );
  if (allow.length === 0) return { code: "not_found", what: "this path" };
  return { code: "method_not_allowed", allow };
}
