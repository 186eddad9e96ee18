import type { z } from "zod";

import { fail, ok, type Result } from "../../protocol/result.ts";
import { BrowserRequest, ContainerRequest, ScriptRequest } from "../../protocol/run-request.ts";
import type { Route } from "../../protocol/run-result.ts";
import { issuesOf } from "./issues.ts";

/** A request that was read, and the lane that it runs on. */
export type RoutedRequest =
  | { readonly lane: "isolate"; readonly route: Route; readonly request: ScriptRequest }
  | { readonly lane: "browser"; readonly route: Route; readonly request: BrowserRequest }
  | { readonly lane: "container"; readonly route: Route; readonly request: ContainerRequest };

/** What only a container has; the first that a request names is the reason for its lane. */
const CONTAINER_FIELDS = ["image", "files", "stdin", "args", "artifacts"] as const;

/** What only isolates have. */
const ISOLATE_FIELDS = ["request", "isolation"] as const;

/**
 * Reads a request's fields by the schema of its lane, and says why it is that lane.
 *
 * `auto` takes the cheapest lane that can do it. Whether an isolate can link the modules is only
 * known when they are linked; the executor then says so before the first statement runs.
 */
export function routeRequest(fields: unknown): Result<RoutedRequest> {
  if (!isRecord(fields)) {
    return fail({
      code: "malformed_request",
      issues: [{ path: "", message: "must be a JSON object" }],
    });
  }
  const { lane, reason } = chooseLane(fields);
  const route = { lane, reason };
  switch (lane) {
    case "isolate": {
      const request = read(ScriptRequest, fields);
      return request.ok ? ok({ lane, route, request: request.value }) : request;
    }
    case "browser": {
      const request = read(BrowserRequest, fields);
      return request.ok ? ok({ lane, route, request: request.value }) : request;
    }
    case "container": {
      const only = ISOLATE_FIELDS.find((name) => fields[name] !== undefined);
      if (only !== undefined) {
        const message = `is for isolates alone, and ${reason}`;
        return fail({ code: "malformed_request", issues: [{ path: only, message }] });
      }
      const request = read(ContainerRequest, fields);
      return request.ok ? ok({ lane, route, request: request.value }) : request;
    }
  }
}

function chooseLane(fields: Readonly<Record<string, unknown>>): Route {
  const asked = fields["lane"];
  if (asked === "isolate" || asked === "browser" || asked === "container") {
    return { lane: asked, reason: `the request asks for the ${asked} lane` };
  }
  if (fields["action"] !== undefined) {
    return { lane: "browser", reason: "the request has an action" };
  }
  const onlyContainers = CONTAINER_FIELDS.find((name) => fields[name] !== undefined);
  if (onlyContainers !== undefined) {
    return { lane: "container", reason: `the request has ${onlyContainers}` };
  }
  const { language } = fields;
  if (language === "bash" || language === "python" || language === "node") {
    return { lane: "container", reason: `${language} runs in containers` };
  }
  return { lane: "isolate", reason: "JavaScript and TypeScript within the isolate's limits" };
}

function read<T extends z.ZodType>(schema: T, fields: unknown): Result<z.infer<T>> {
  const parsed = schema.safeParse(fields);
  if (parsed.success) return ok(parsed.data);
  return fail({ code: "malformed_request", issues: issuesOf(parsed.error) });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
