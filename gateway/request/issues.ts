import type { z } from "zod";

import type { Issue } from "../../protocol/failure.ts";

/** A body of nothing but mistakes must not make an answer larger than itself. */
const ISSUES_MAX = 50;

/** What is wrong with a body, each by its dotted path, unknown fields too; says nothing it held but names. */
export function issuesOf(error: z.ZodError): readonly Issue[] {
  return error.issues.flatMap((issue) => toIssues(issue)).slice(0, ISSUES_MAX);
}

function toIssues(issue: z.core.$ZodIssue): readonly Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: dotted([...path, key]),
      message: "is not a known field",
    }));
  }
  return [{ path: dotted(path), message: messageOf(issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined && issue.message.endsWith("received undefined")
        ? "is missing"
        : `must be ${named(issue.expected)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "too_small":
      return bound(
        issue.origin,
        issue.inclusive === false ? "more than" : "at least",
        issue.minimum,
      );
    case "too_big":
      return bound(
        issue.origin,
        issue.inclusive === false ? "less than" : "at most",
        issue.maximum,
      );
    case "invalid_key":
      return issue.issues[0]?.message ?? "is not a name that may be used";
    case "custom":
    case "invalid_format":
    case "invalid_union":
    case "invalid_element":
    case "not_multiple_of":
    case "unrecognized_keys":
      return issue.message;
  }
}

const named = (type: string): string =>
  type === "int" ? "a whole number" : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;

function bound(origin: string, relation: string, value: number | bigint): string {
  if (origin === "string") return `must have ${relation} ${value} characters`;
  if (origin === "array") return `must have ${relation} ${value} items`;
  return `must be ${relation} ${value}`;
}

/** Names are the caller's own, so they are cut. */
const dotted = (path: readonly string[]): string =>
  path.map((part) => (part.length <= 64 ? part : `${part.slice(0, 63)}…`)).join(".");
