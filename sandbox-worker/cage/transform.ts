import { transformSync, type OxcError } from "oxc-transform";

import { moduleUrl, positionAt } from "./specifier.ts";

/** What a module is made of, by its path's extension; the entry's by the run's language. */
export type ModuleKind = "javascript" | "typescript" | "tsx" | "jsx" | "json";

const KINDS: ReadonlyMap<string, ModuleKind> = new Map([
  ["ts", "typescript"],
  ["mts", "typescript"],
  ["js", "javascript"],
  ["mjs", "javascript"],
  ["tsx", "tsx"],
  ["jsx", "jsx"],
  ["json", "json"],
]);

const LANGUAGES = { javascript: "js", typescript: "ts", tsx: "tsx", jsx: "jsx" } as const;

/** The kind that a path's extension says, or null where it says none. */
export function kindOf(path: string): ModuleKind | null {
  const extension = /\.([a-z]+)$/.exec(path)?.[1] ?? "";
  return KINDS.get(extension) ?? null;
}

/** A source as V8 can compile it. */
export interface Transformed {
  readonly code: string;
  /** Characters before the first line's own, which count in no position. */
  readonly leading: number;
  /** Null where nothing moved. */
  readonly map: SourceMapJson | null;
}

/** As oxc gives it; read only where an error needs a position. */
interface SourceMapJson {
  readonly version: 3;
  readonly mappings: string;
  readonly names: string[];
  readonly sources: (string | null)[];
}

/** A source that is none: what is wrong, and where (`file:///main.ts:1:9`). */
export class SourceError extends Error {
  override readonly name = "SyntaxError";
  readonly place: string | null;

  constructor(message: string, place: string | null) {
    super(message);
    this.place = place;
  }
}

/**
 * Makes JavaScript of a module. TypeScript is transformed, not checked: enums, namespaces and
 * parameter properties become code, types vanish. Runs in the tenant's own cage: what crashes the
 * compiler takes nobody else along.
 *
 * @throws {SourceError} Where the source has no meaning.
 */
export function transformModule(
  path: string,
  kind: ModuleKind,
  source: string,
  isEntry: boolean,
): Transformed {
  if (kind === "json") return { code: jsonModule(path, source), leading: 0, map: null };
  // Plain JavaScript is compiled as it was sent.
  if (kind === "javascript") return withMeta(path, source, isEntry, null);
  const { code, map, errors } = transformSync(path, source, {
    lang: LANGUAGES[kind],
    sourceType: "module",
    target: "esnext",
    sourcemap: true,
  });
  const error = errors.find(({ severity }) => severity === "Error");
  if (error !== undefined) throw sourceError(path, source, error);
  if (map === undefined) return withMeta(path, code, isEntry, null);
  const { mappings, names, sources } = map;
  return withMeta(path, code, isEntry, { version: 3, mappings, names, sources });
}

/** isolated-vm leaves `import.meta` empty: a module that asks for it fills its own, first of all. */
function withMeta(
  path: string,
  code: string,
  isEntry: boolean,
  map: SourceMapJson | null,
): Transformed {
  if (!code.includes("import.meta")) return { code, leading: 0, map };
  const fields = `{url:${JSON.stringify(moduleUrl(path))},main:${isEntry}}`;
  const first = `Object.assign(import.meta,${fields});`;
  return { code: first + code.replace(/^#!/, "//"), leading: first.length, map };
}

function sourceError(path: string, source: string, error: OxcError): SourceError {
  const start = error.labels[0]?.start;
  if (start === undefined) return new SourceError(error.message, null);
  // oxc counts bytes of UTF-8, positions count characters.
  const index = Buffer.from(source).toString("utf8", 0, start).length;
  const { line, column } = positionAt(source, index);
  return new SourceError(error.message, `${moduleUrl(path)}:${line}:${column}`);
}

function jsonModule(path: string, source: string): string {
  try {
    JSON.parse(source);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SourceError(`Cannot parse the JSON module: ${message}`, `${moduleUrl(path)}:1:1`);
  }
  return `export default JSON.parse(${JSON.stringify(source)});`;
}
