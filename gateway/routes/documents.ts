import { Hono } from "hono";

import type { AppEnv } from "../app-env.ts";
import { docsPage } from "../documents/docs-page.ts";
import { openApiDocument } from "../documents/openapi.ts";

/** What the API is, for programs and for people. Open to anyone. */
export const documents = new Hono<AppEnv>();

type OpenApiDocument = ReturnType<typeof openApiDocument>;
let made: OpenApiDocument | undefined;

/** Made once, and not before somebody asks: it costs a cold start some milliseconds. */
const theDocument = (): OpenApiDocument => (made ??= openApiDocument());

documents.get("/openapi.json", (c) => c.json(theDocument()));

documents.get("/docs", (c) => {
  const nonce = crypto.randomUUID();
  c.header(
    "Content-Security-Policy",
    `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  return c.html(docsPage(theDocument(), new URL(c.req.url).origin, nonce));
});
