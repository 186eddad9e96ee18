import type ivm from "isolated-vm";

import type { RunWork, Unlinkable } from "../../protocol/sandbox-api.ts";
import {
  decodeSpecifier,
  isTooDeep,
  type CompiledModule,
  type ModuleCache,
} from "./module-cache.ts";
import type { Realm } from "./realm.ts";
import { moduleUrl, importPosition, resolveSpecifier } from "./specifier.ts";
import { kindOf, SourceError } from "./transform.ts";

/** Characters of a specifier that are told: it is a name, or a mistake. */
const SPECIFIER_MAX = 512;

/** A run's modules by URL, for positions in stacks. */
export type ModulesByUrl = ReadonlyMap<string, CompiledModule>;

/** A run's whole module graph, linked but not evaluated. */
export interface Linked {
  readonly entry: CompiledModule;
  readonly modules: ModulesByUrl;
  /** Whether the evaluation may not be over when `evaluate` returns. */
  readonly mayAwait: boolean;
}

export type LinkResult =
  | { readonly kind: "linked"; readonly linked: Linked }
  | { readonly kind: "unlinkable"; readonly unlinkable: Unlinkable }
  | {
      readonly kind: "failed";
      readonly name: string;
      readonly message: string;
      readonly place: string | null;
      readonly modules: ModulesByUrl;
    };

/** Ends linking with the first problem met. */
class LinkProblem extends Error {
  readonly result: Exclude<LinkResult, { kind: "linked" }>;

  constructor(result: Exclude<LinkResult, { kind: "linked" }>) {
    super(result.kind);
    this.result = result;
  }
}

/**
 * Compiles and links every module that the entry reaches, before any statement of it runs. Runs
 * V8's parser on the tenant's source, but none of the tenant's code.
 */
export function linkGraph(cache: ModuleCache, realm: Realm, work: RunWork): LinkResult {
  const byUrl = new Map<string, CompiledModule>();
  const byModule = new Map<ivm.Module, CompiledModule>();
  const byPath = new Map<string, CompiledModule>();

  const unread: CompiledModule[] = [];

  const compile = (path: string, importer: CompiledModule | null): CompiledModule => {
    const known = byPath.get(path);
    if (known !== undefined) return known;
    const source = work.modules[path] ?? "";
    const kind = kindOf(path) ?? (importer === null ? work.language : null);
    if (kind === null) {
      const message = `Cannot import "${moduleUrl(path)}": its extension names no kind of module`;
      throw problem("TypeError", message, null);
    }
    const { isolate } = realm.guest;
    const compiled = cache.compile(isolate, path, kind, source, importer === null);
    realm.own(compiled.module);
    byPath.set(path, compiled);
    byUrl.set(compiled.url, compiled);
    byModule.set(compiled.module, compiled);
    unread.push(compiled);
    return compiled;
  };

  const problem = (name: string, message: string, place: string | null): LinkProblem =>
    new LinkProblem({ kind: "failed", name, message, place, modules: byUrl });

  const reach = (specifier: string, importer: CompiledModule): CompiledModule => {
    const resolved = resolveSpecifier(specifier, importer.path, work.modules);
    switch (resolved.kind) {
      case "module":
        return compile(resolved.path, importer);
      case "foreign":
        throw new LinkProblem({
          kind: "unlinkable",
          unlinkable: { specifier: specifier.slice(0, SPECIFIER_MAX), importer: importer.path },
        });
      case "missing": {
        const { line, column } = importPosition(importer.source, specifier);
        const hint = resolved.near === null ? "" : `; did you mean "${resolved.near}"?`;
        const message = `Cannot find module "${resolved.url}"${hint}`;
        throw problem("TypeError", message, `${importer.url}:${line}:${column}`);
      }
    }
  };

  try {
    const entry = compile(work.entry, null);
    for (let next = unread.shift(); next !== undefined; next = unread.shift()) {
      for (const specifier of next.specifiers) reach(specifier, next);
    }
    entry.module.instantiateSync(realm.context, (garbled, referrer) => {
      const importer = byModule.get(referrer);
      if (importer === undefined) throw new TypeError("Cannot link: the importer is unknown");
      return reach(decodeSpecifier(garbled), importer).module;
    });
    const mayAwait = [...byUrl.values()].some((compiled) => compiled.mayAwait);
    return { kind: "linked", linked: { entry, modules: byUrl, mayAwait } };
  } catch (error) {
    if (error instanceof LinkProblem) return error.result;
    if (error instanceof SourceError) {
      const { name, message, place } = error;
      return { kind: "failed", name, message, place, modules: byUrl };
    }
    if (!(error instanceof Error)) throw error;
    const { name, message } = error;
    if (isTooDeep(error)) {
      const why = "Cannot link the modules: their imports lead too deep";
      return { kind: "failed", name, message: why, place: null, modules: byUrl };
    }
    return { kind: "failed", name, message, place: requestPlace(message, byUrl), modules: byUrl };
  }
}

/** V8's linker names the module that lacks an export, not the import that asked for it. */
function requestPlace(message: string, modules: ModulesByUrl): string | null {
  const [, specifier] = /requested module '(.+?)' (?:does not|contains)/.exec(message) ?? [];
  if (specifier === undefined) return null;
  for (const { url, source, specifiers } of modules.values()) {
    if (!specifiers.includes(specifier)) continue;
    const { line, column } = importPosition(source, specifier);
    return `${url}:${line}:${column}`;
  }
  return null;
}
