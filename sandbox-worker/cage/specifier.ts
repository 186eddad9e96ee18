import type { RunWork } from "../../protocol/sandbox-api.ts";

/** Under which URL a tenant's module is known to its own code: in stacks and as `import.meta.url`. */
export const moduleUrl = (path: string): string =>
  `file:///${path.split("/").map(encodedPart).join("/")}`;

/** Without spaces and parentheses, which would end a place in a stack's frame. */
const encodedPart = (part: string): string =>
  encodeURIComponent(part.toWellFormed()).replaceAll("(", "%28").replaceAll(")", "%29");

/** Where an import leads. */
export type Resolved =
  | { readonly kind: "module"; readonly path: string }
  /** Relative, but names no module that was sent. `near`: one that probably was meant. */
  | { readonly kind: "missing"; readonly url: string; readonly near: string | null }
  /** Nothing an isolate has: `node:`, `npm:`, `jsr:`, `https:`, a bare name. */
  | { readonly kind: "foreign" };

const EXTENSIONS = [".ts", ".js", ".mts", ".mjs", ".json", "/index.ts", "/index.js", "/mod.ts"];

/**
 * Resolves as Deno does: relative to the importing module, extension and all, with nothing guessed.
 * Where a module was not sent, says which one was probably meant.
 */
export function resolveSpecifier(
  specifier: string,
  importer: string,
  modules: RunWork["modules"],
): Resolved {
  if (!/^(?:\.{1,2}\/|\/|file:\/\/\/)/.test(specifier)) return { kind: "foreign" };
  if (!URL.canParse(specifier, moduleUrl(importer))) {
    return { kind: "missing", url: specifier, near: null };
  }
  const { pathname, href, search, hash } = new URL(specifier, moduleUrl(importer));
  const path = decoded(pathname.slice(1));
  if (search !== "" || hash !== "") return { kind: "missing", url: href, near: null };
  if (Object.hasOwn(modules, path)) return { kind: "module", path };
  return { kind: "missing", url: href, near: nearest(specifier, path, modules) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function nearest(specifier: string, path: string, modules: RunWork["modules"]): string | null {
  const added = EXTENSIONS.find((extension) => Object.hasOwn(modules, path + extension));
  if (added !== undefined) return specifier + added;
  const stem = path.replace(/\.[a-z]+$/, "");
  const other = EXTENSIONS.find((extension) => Object.hasOwn(modules, stem + extension));
  return other === undefined ? null : specifier.replace(/\.[a-z]+$/, "") + other;
}

/**
 * Where in a source an import of `specifier` stands: line and column from 1. Made for messages; an
 * import spelt in an unusual way is placed at the beginning.
 */
export function importPosition(
  source: string,
  specifier: string,
): { readonly line: number; readonly column: number } {
  for (const quote of ['"', "'"]) {
    const quoted = quote + specifier + quote;
    for (let at = source.indexOf(quoted); at !== -1; at = source.indexOf(quoted, at + 1)) {
      if (/(?:from|import|\()\s*$/.test(source.slice(Math.max(0, at - 64), at))) {
        return positionAt(source, at);
      }
    }
  }
  return { line: 1, column: 1 };
}

/** Line and column, both from 1, of an index into a text. */
export function positionAt(
  source: string,
  index: number,
): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = source.indexOf("\n"); at !== -1 && at < index; at = source.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: index - lineStart + 1 };
}
