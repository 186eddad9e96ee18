import { build } from "esbuild";

/**
 * Bundles the Worker into one module, as a deployment does: the runtime's own modules stay outside,
 * and packages give their worker build.
 *
 * @throws With esbuild's list of what does not resolve or parse.
 */
export async function bundleWorker(main: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [main],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    define: { "process.env.NODE_ENV": '"production"' },
    sourcemap: "inline",
    sourcesContent: false,
    keepNames: true,
    logLevel: "silent",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`Cannot bundle ${main}: esbuild made nothing`);
  return file.text;
}
