import { describe, expect, it } from "vitest";

import { createApp } from "../../gateway/app.ts";
import { OPERATIONS } from "../../gateway/documents/operations.ts";
import { call } from "./support.ts";

/** The routes that the app has, middleware left out, as `GET /path/{name}`. */
const appRoutes = () =>
  createApp()
    .routes.filter(({ method }) => method !== "ALL")
    .map(
      ({ method, path }) => `${method} ${path.replaceAll(/:([a-zA-Z]+)(?:\{[^}]*\})?/g, "{$1}")}`,
    );

const byName = (a: string, b: string) => a.localeCompare(b);

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, unknown> }>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

const readDocument = async (): Promise<Document> => (await call("/openapi.json")).json();

describe("GET /openapi.json", () => {
  it("has every route of the app, and no other", async () => {
    const { paths } = await readDocument();
    const told = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = [...new Set(appRoutes())];
    expect(told.toSorted(byName)).toEqual(routes.toSorted(byName));
    expect(OPERATIONS).toHaveLength(routes.length);
  });

  it("has no reference that leads nowhere", async () => {
    const document = await readDocument();
    const references = JSON.stringify(document).matchAll(
      /"\$ref":"#\/components\/schemas\/(\w+)"/g,
    );
    const names = new Set(Array.from(references, ([, name]) => name ?? ""));
    expect(names.size).toBeGreaterThan(5);
    for (const name of names) expect(document.components.schemas).toHaveProperty(name);
  });

  it("says the request's limits as they are checked", async () => {
    const text = JSON.stringify((await readDocument()).components.schemas["RunRequest"]);
    expect(text).toContain('"additionalProperties":false');
    expect(text).toContain('"typescript"');
  });

  it("tells every status that a run may get", async () => {
    const { paths } = await readDocument();
    expect(Object.keys(paths["/v1/run"]?.["post"]?.responses ?? {})).toEqual([
      "200",
      "202",
      "400",
      "401",
      "403",
      "409",
      "410",
      "413",
      "415",
      "422",
      "429",
      "501",
      "503",
      "504",
    ]);
  });
});

describe("GET /docs", () => {
  it("shows every route on a page that needs nothing else", async () => {
    const response = await call("/docs");
    const page = await response.text();
    for (const { path } of OPERATIONS) expect(page).toContain(path);
    expect(page).toContain("curl -sS -X POST https://gateway.test/v1/run");
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(/);

    const policy = response.headers.get("Content-Security-Policy") ?? "";
    const nonce = /style-src 'nonce-([^']+)'/.exec(policy)?.[1];
    expect(policy).toMatch(/^default-src 'none'/);
    expect(page).toContain(`<style nonce="${nonce}">`);
  });

  it("takes no markup from the address that it was asked by", async () => {
    const response = await createApp().request(
      "https://a.test/docs",
      { headers: { Host: "<script>" } },
      (await import("cloudflare:workers")).env,
    );
    expect(await response.text()).not.toContain("<script>");
  });
});
