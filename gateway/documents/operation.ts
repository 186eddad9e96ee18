import type { z } from "zod";

import type { Failure } from "../../protocol/failure.ts";

export type Code = Failure["code"];

interface Parameter {
  readonly schema: z.ZodType;
  readonly means: string;
}

/** One route as it is told to callers. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "delete";
  /** With `{name}` where the path has a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: "key" | "admin" | "open";
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  readonly body?: { readonly schema: z.ZodType; readonly example: unknown };
  /** The answer when it went well, by content type, one schema or several; empty for none. */
  readonly answer: {
    readonly status: 200 | 201 | 202 | 204;
    readonly content: Readonly<Record<string, z.ZodType | readonly z.ZodType[]>>;
  };
  /** Another answer that is no failure: its status, and what it says. */
  readonly also?: {
    readonly status: 200 | 202;
    readonly means: string;
    readonly schema: z.ZodType;
  };
  readonly failures: readonly Code[];
}

export const KEY_FAILURES: readonly Code[] = ["unauthenticated", "forbidden", "policy_unavailable"];
