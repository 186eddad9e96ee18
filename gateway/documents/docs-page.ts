import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

import type { Operation } from "./operation.ts";
import { NAMED_SCHEMAS, OPERATIONS } from "./operations.ts";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 6rem; }
h1 { margin: 0 } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h3 { font: 600 1rem/1.4 ui-monospace, monospace; margin: 2rem 0 0 }
h3 span { display: inline-block; min-width: 4.5rem }
code, pre { font: 0.85rem/1.5 ui-monospace, monospace }
pre { overflow: auto; padding: 0.75rem 1rem; border: 1px solid var(--line); border-radius: 6px }
table { border-collapse: collapse } td, th { padding: 0.2rem 1rem 0.2rem 0; text-align: left; vertical-align: top }
summary { cursor: pointer } p { margin: 0.4rem 0 }
`;

const ACCESS: Readonly<Record<Operation["access"], string>> = {
  key: "Needs an API key.",
  admin: "Needs the operator's token.",
  open: "Open to anyone.",
};

/**
 * The API as one page that needs nothing but itself: no script, no font, no other host.
 *
 * `document` is the OpenAPI document it shows; `nonce` is the one its style is allowed by.
 */
export function docsPage(
  document: Readonly<Record<string, unknown>>,
  origin: string,
  nonce: string,
): Html {
  const schemas = schemasOf(document);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Bulkhead API</title>
        <style nonce="${nonce}">
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>Bulkhead API</h1>
        <p>
          An execution gateway for code you don't trust. For programs:
          <a href="/openapi.json">openapi.json</a>.
        </p>
        <h2>Routes</h2>
        ${OPERATIONS.map((operation) => section(operation, origin))}
        <h2>Schemas</h2>
        ${Object.keys(NAMED_SCHEMAS).map(
          (name) =>
            html`<details id="${name}">
              <summary><code>${name}</code></summary>
              <pre>${JSON.stringify(schemas[name], null, 2)}</pre>
            </details>`,
        )}
      </body>
    </html>`;
}

function section(operation: Operation, origin: string): Html {
  const { method, path, summary, description, access, answer, also, failures } = operation;
  const named = [
    ...Object.entries(operation.query ?? {}).map(([name, one]) => [`?${name}=`, one] as const),
    ...Object.entries(operation.headers ?? {}).map(([name, one]) => [`${name}:`, one] as const),
  ];
  return html`<section>
    <h3><span>${method.toUpperCase()}</span>${path}</h3>
    <p>${summary}. ${description ?? ""} ${ACCESS[access]}</p>
    ${
      named.length === 0
        ? ""
        : html`<table>
            ${named.map(
              ([name, { means }]) =>
                html`<tr>
                  <td><code>${name}</code></td>
                  <td>${means}</td>
                </tr>`,
            )}
          </table>`
    }
    <pre>${curlExample(operation, origin)}</pre>
    <p>
      Answers
      ${answer.status}${Object.entries(answer.content).map(
        ([type, schema]) => html` <code>${type}</code>${schemaLink(schema)}`,
      )}${also === undefined ? "" : html`, or ${also.status}: ${also.means}`}${failures.length === 0 ? "." : `; or a problem: ${failures.join(", ")}.`}
    </p>
  </section>`;
}

function schemaLink(schema: unknown): readonly (Html | string)[] {
  if (Array.isArray(schema)) return schema.flatMap((one) => schemaLink(one));
  const name = Object.keys(NAMED_SCHEMAS).find((known) => NAMED_SCHEMAS[known] === schema);
  return name === undefined ? [] : [html` (<a href="#${name}">${name}</a>)`];
}

/** A line for a shell that does what the route does. */
function curlExample({ method, path, access, body }: Operation, origin: string): string {
  const parts = [
    `curl -sS ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${origin}${path}`,
  ];
  if (access !== "open") {
    parts.push(`-H "Authorization: Bearer $${access === "key" ? "BULKHEAD_KEY" : "ADMIN_TOKEN"}"`);
  }
  if (body !== undefined) {
    parts.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body.example)}'`);
  }
  return parts.join(" \\\n  ");
}

function schemasOf(document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const components = document["components"] as { readonly schemas: Record<string, unknown> };
  return components.schemas;
}
