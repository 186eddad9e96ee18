import path from "node:path";

import { build, type BuildOptions, type Plugin } from "esbuild";

const GUEST = path.join(import.meta.dirname, "guest");
const CORE_ENTRY = path.join(GUEST, "main.ts");
const LIBRARY_ENTRY = path.join(GUEST, "lazy-modules.ts");

/** The module through which the core's own modules are given to the library. */
const SHARED = "core:shared";

/** The guest runtime's two scripts; the completion value of each is a function. */
export interface GuestBundles {
  /** `(...ops) => entry`: all that a run needs that touches nothing but the language. */
  readonly core: string;
  /** `(core) => parts`: what the core asks for when a program does. */
  readonly library: string;
}

/**
 * Bundles the guest runtime. The modules that the library imports of the core are not bundled
 * twice: they keep state, and hold the language's functions as they were before any tenant's code.
 */
export async function bundleGuest(): Promise<GuestBundles> {
  const { inputs } = await bundle(CORE_ENTRY, "", {}, sharedModule(new Map()));
  const coreFiles = new Set(inputs.map((file) => path.resolve(file)));
  const shared = new Map<string, readonly string[]>();
  const library = await bundle(
    LIBRARY_ENTRY,
    "load",
    { banner: "((core) => {", footer: "return bundle.load; })" },
    importsOfCore(coreFiles, shared),
  );
  const core = await bundle(
    CORE_ENTRY,
    "entry",
    {
      banner: '(function () { "use strict"; const hostCallbacks = arguments;',
      footer: "return bundle.entry; })",
    },
    sharedModule(shared),
  );
  return { core: core.code, library: library.code };
}

/** In the core: a function that gives the modules that the library imports. */
function sharedModule(shared: ReadonlyMap<string, readonly string[]>): Plugin {
  const imports: string[] = [];
  const members: string[] = [];
  for (const [file, names] of [...shared].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const module = `module${imports.length}`;
    const renamed = names.map((name) => `${name} as ${module}_${name}`);
    imports.push(`import { ${renamed.join(", ")} } from ${JSON.stringify(file)};`);
    const fields = names.map((name) => `${name}: ${module}_${name}`);
    members.push(`${nameOf(file)}: { ${fields.join(", ")} }`);
  }
  const contents = `${imports.join("\n")}\nexport const core = () => ({ ${members.join(", ")} });`;
  return virtual(SHARED, /^core:shared$/, () => ({ contents, resolveDir: GUEST }));
}

/** In the library: imports of the core's modules are taken from what the core gives. Notes which they are. */
function importsOfCore(
  coreFiles: ReadonlySet<string>,
  shared: Map<string, readonly string[]>,
): Plugin {
  return virtual(
    "core",
    /^\.{1,2}\//,
    async (file) => {
      const names = await exportsOf(file);
      shared.set(file, names);
      return { contents: `export const { ${names.join(", ")} } = core[${nameOf(file)}];` };
    },
    (file) => coreFiles.has(file),
  );
}

function virtual(
  namespace: string,
  filter: RegExp,
  load: (file: string) => { contents: string; resolveDir?: string } | Promise<{ contents: string }>,
  takes: (file: string) => boolean = () => true,
): Plugin {
  return {
    name: namespace,
    setup(builder) {
      builder.onResolve({ filter }, (imported) => {
        const file = path.resolve(imported.resolveDir, imported.path);
        return takes(file) ? { path: path.relative(GUEST, file), namespace } : undefined;
      });
      builder.onLoad({ filter: /.*/, namespace }, ({ path: file }) => load(path.join(GUEST, file)));
    },
  };
}

const nameOf = (file: string): string =>
  JSON.stringify(path.relative(GUEST, file).split(path.sep).join("/"));

async function exportsOf(file: string): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [file],
    format: "esm",
    write: false,
    metafile: true,
    logLevel: "silent",
    outdir: GUEST,
  });
  return Object.values(metafile.outputs).flatMap((output) => output.exports);
}

async function bundle(
  entry: string,
  exported: string,
  { banner = "", footer = "" }: { readonly banner?: string; readonly footer?: string },
  plugin: Plugin,
): Promise<{ readonly code: string; readonly inputs: readonly string[] }> {
  const options: BuildOptions = {
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "iife",
    globalName: "bundle",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2024",
    minifySyntax: true,
    minifyWhitespace: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
    banner: { js: banner },
    footer: { js: footer },
    plugins: [plugin],
  };
  const { outputFiles, metafile } = await build({ ...options, write: false, metafile: true });
  const [output] = outputFiles;
  if (output === undefined) {
    throw new Error(`Cannot bundle the guest runtime's ${exported}: esbuild gave nothing`);
  }
  return { code: output.text, inputs: Object.keys(metafile.inputs) };
}
