import { z } from "zod";

import { type Failure, toProblem } from "../../protocol/failure.ts";
import { PROBLEM_CONTENT_TYPE } from "../answer/problem-response.ts";
import type { Operation } from "./operation.ts";
import { NAMED_SCHEMAS, OPERATIONS, ProblemDetails } from "./operations.ts";

type Json = Readonly<Record<string, unknown>>;

/** The API as an OpenAPI 3.1 document, from the schemas that requests are checked with. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const path = (paths[operation.path] ??= {});
    path[operation.method] = operationObject(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Bulkhead",
      version: "1",
      description: "An execution gateway for code you don't trust.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key (bh_…), or a token" },
        admin: { type: "http", scheme: "bearer", description: "The operator's ADMIN_TOKEN" },
      },
    },
  };
}

function operationObject(operation: Operation): Json {
  const { summary, description, access, body, answer, also, failures } = operation;
  const content = Object.entries(answer.content).map(
    ([type, schema]) => [type, { schema: answerSchema(schema) }] as const,
  );
  return {
    summary,
    ...(description === undefined ? {} : { description }),
    security: access === "open" ? [] : [{ [access]: [] }],
    parameters: [
      ...pathParameters(operation.path),
      ...parameters("query", operation.query),
      ...parameters("header", operation.headers),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              "application/json": {
                schema: schemaRef(body.schema, "input"),
                example: body.example,
              },
            },
          },
        }),
    responses: {
      [answer.status]: {
        description: summary,
        ...(content.length === 0 ? {} : { content: Object.fromEntries(content) }),
      },
      ...(also === undefined
        ? {}
        : {
            [also.status]: {
              description: also.means,
              content: { "application/json": { schema: schemaRef(also.schema, "output") } },
            },
          }),
      ...problemResponses(failures),
    },
  };
}

/** Failures by status, each named by its code. */
function problemResponses(codes: readonly Failure["code"][]): Json {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.join(", "),
        content: { [PROBLEM_CONTENT_TYPE]: { schema: schemaRef(ProblemDetails, "output") } },
      },
    ]),
  );
}

/** A code's status does not depend on the rest of its failure. */
function statusOf(code: Failure["code"]): number {
  const anyFailure = { code, issues: [], allow: [] } as unknown as Failure;
  return toProblem(anyFailure).status;
}

const pathParameters = (path: string): readonly Json[] =>
  Array.from(path.matchAll(/\{([a-zA-Z]+)\}/g), ([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));

const parameters = (place: "query" | "header", named: Operation["query"]): readonly Json[] =>
  Object.entries(named ?? {}).map(([name, { schema, means }]) => ({
    name,
    in: place,
    description: means,
    schema: jsonSchema(schema, "input"),
  }));

const componentSchemas = (): Json =>
  Object.fromEntries(
    Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [
      name,
      jsonSchema(schema, isRequest(name) ? "input" : "output"),
    ]),
  );

const isRequest = (name: string): boolean => name.endsWith("Request") || name === "TenantOverrides";

function answerSchema(schema: z.ZodType | readonly z.ZodType[]): Json {
  if (schema instanceof z.ZodType) return schemaRef(schema, "output");
  return { anyOf: schema.map((one) => schemaRef(one, "output")) };
}

function schemaRef(schema: z.ZodType, io: "input" | "output"): Json {
  const named = Object.entries(NAMED_SCHEMAS).find(([, known]) => known === schema);
  return named === undefined
    ? jsonSchema(schema, io)
    : { $ref: `#/components/schemas/${named[0]}` };
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, reused: "inline" });
  return rest;
}
