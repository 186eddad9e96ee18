import { hash } from "node:crypto";

import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import type ivm from "isolated-vm";

import { moduleUrl } from "./specifier.ts";
import { splitPlace } from "./stack.ts";
import { SourceError, transformModule, type ModuleKind, type Transformed } from "./transform.ts";

/** Source text whose compiled form one cage keeps; a tenant's programs are some KiB each. */
const CACHE_MAX_BYTES = 8 * 1024 * 1024;

/** A module of a run, compiled in one isolate. */
export interface CompiledModule {
  readonly path: string;
  readonly url: string;
  readonly source: string;
  readonly module: ivm.Module;
  /** What it imports, as written. */
  readonly specifiers: readonly string[];
  /** Whether evaluating it may wait: true also for some modules that never do. */
  readonly mayAwait: boolean;
  readonly map: Transformed["map"];
}

interface CachedModule extends Transformed {
  /** Made by V8 in this process, from code that this process made. Never from outside. */
  readonly cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;
  readonly bytes: number;
}

/**
 * Transformed sources and V8's compiled code, by hash of path and source. Belongs to one cage and
 * so to one tenant; the least recently used goes first.
 */
export class ModuleCache {
  readonly #byHash = new Map<string, CachedModule>();
  #bytes = 0;

  /**
   * Compiles a module in an isolate.
   *
   * @throws {SourceError} Where the source has no meaning.
   */
  compile(
    isolate: ivm.Isolate,
    path: string,
    kind: ModuleKind,
    source: string,
    isEntry: boolean,
  ): CompiledModule {
    const key = hash("sha256", `${isEntry ? "entry" : "module"}\n${kind}\n${path}\n${source}`);
    const url = moduleUrl(path);
    const known = this.#byHash.get(key);
    if (known !== undefined) {
      this.#byHash.delete(key);
      this.#byHash.set(key, known);
      const { code, map, leading, cachedData } = known;
      const options = cachedData === undefined ? {} : { cachedData };
      const module = compileCode(isolate, known, {
        filename: url,
        columnOffset: 0 - leading,
        ...options,
      });
      const specifiers = specifiersOf(module);
      return { path, url, source, module, specifiers, map, mayAwait: mayAwait(code) };
    }
    const transformed = transformModule(path, kind, source, isEntry);
    const { code, map, leading } = transformed;
    const module = compileCode(isolate, transformed, {
      filename: url,
      columnOffset: 0 - leading,
      produceCachedData: true,
    });
    this.#keep(key, { ...transformed, cachedData: module.cachedData, bytes: code.length * 3 });
    const specifiers = specifiersOf(module);
    return { path, url, source, module, specifiers, map, mayAwait: mayAwait(code) };
  }

  #keep(key: string, entry: CachedModule): void {
    if (entry.bytes > CACHE_MAX_BYTES / 2) return;
    this.#byHash.set(key, entry);
    this.#bytes += entry.bytes;
    for (const [oldest, { bytes, cachedData }] of this.#byHash) {
      if (this.#bytes <= CACHE_MAX_BYTES) return;
      this.#byHash.delete(oldest);
      this.#bytes -= bytes;
      cachedData?.release();
    }
  }
}

type CompiledCode = ivm.Module & { readonly cachedData?: ivm.ExternalCopy<ArrayBuffer> };

/** V8 gives up where its own stack ends. */
export const isTooDeep = (error: Error): boolean =>
  error.message.startsWith("Maximum call stack size exceeded");

function compileCode(
  isolate: ivm.Isolate,
  { code, map }: Pick<CachedModule, "code" | "map">,
  options: ivm.CompileModuleOptions & { readonly filename: string },
): CompiledCode {
  try {
    return isolate.compileModuleSync(code, options);
  } catch (error) {
    if (!(error instanceof Error) || isolate.isDisposed) throw error;
    if (isTooDeep(error)) {
      throw new SourceError(
        "Cannot compile the module: it is nested too deep",
        `${options.filename}:1:1`,
      );
    }
    const { message, place } = splitPlace(error.message, (_, line, column) =>
      positionInSource({ map }, line, column),
    );
    throw new SourceError(message, place);
  }
}

const specifiersOf = (module: ivm.Module): readonly string[] =>
  module.dependencySpecifiers.map(decodeSpecifier);

/** isolated-vm gives a specifier's UTF-8 as if each byte were a character. */
export const decodeSpecifier = (garbled: string): string =>
  Buffer.from(garbled, "latin1").toString("utf8");

/** A keyword cannot be spelt with escapes, so code without the word has no top-level await. */
const mayAwait = (code: string): boolean => /\bawait\b/.test(code);

/** Where in a module's source a position of its compiled code comes from; both from 1. */
export function positionInSource(
  { map }: Pick<CompiledModule, "map">,
  line: number,
  column: number,
): { readonly line: number; readonly column: number } {
  if (map === null) return { line, column };
  const found = originalPositionFor(new TraceMap({ ...map }), { line, column: column - 1 });
  if (found.line === null) return { line, column };
  return { line: found.line, column: found.column + 1 };
}
