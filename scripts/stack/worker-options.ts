import { experimental_readRawConfig, unstable_readConfig } from "wrangler";

/** A binding or export as Miniflare's `workers[].config` spells it. */
type MiniflareEntry = Readonly<Record<string, unknown>> & { readonly type: string };

/** The Worker that a wrangler.toml describes, in Miniflare's terms, its code left out. */
export interface WorkerOptions {
  readonly name: string;
  /** The entry's path, to be bundled. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly env: Readonly<Record<string, MiniflareEntry>>;
  readonly exports: Readonly<Record<string, MiniflareEntry>>;
}

type Table = Readonly<Record<string, unknown>>;

/**
 * What only a deployment heeds; the local stack has nothing that these could change. In place of a
 * cron trigger it asks for the sweep itself.
 */
const ONLY_DEPLOYED = new Set([
  "$schema",
  "account_id",
  "keep_vars",
  "limits",
  "logpush",
  "minify",
  "observability",
  "placement",
  "preview_urls",
  "routes",
  "send_metrics",
  "triggers",
  "upload_source_maps",
  "workers_dev",
]);

/**
 * Reads a wrangler.toml into Miniflare options.
 *
 * @param values Secrets, and variables that replace those of the file.
 * @throws {TypeError} Naming a key that nothing here maps: ignored, it would make the local stack
 * differ from a deployment in silence. Or naming a required secret that has no value.
 */
export function readWorkerOptions(
  configPath: string,
  values: Readonly<Record<string, string>>,
): WorkerOptions {
  const { rawConfig } = experimental_readRawConfig({ config: configPath });
  const config = unstable_readConfig({ config: configPath }, { hideWarnings: true });
  const mapped = mapKeys(asTable(rawConfig, "wrangler.toml"), values);
  if (config.name === undefined || config.main === undefined) {
    throw new TypeError("Cannot map wrangler.toml: it names no Worker or no entry");
  }
  return {
    ...mapped,
    name: config.name,
    main: config.main,
    compatibilityDate: config.compatibility_date ?? "",
    compatibilityFlags: config.compatibility_flags,
    env: localize(mapped.env, config.name),
  };
}

/** The variables of a wrangler.toml, as texts. */
export function readVariables(configPath: string): Readonly<Record<string, string>> {
  const { vars } = unstable_readConfig({ config: configPath }, { hideWarnings: true });
  return Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, String(value)]));
}

/** The part of the mapping that needs no file system: every key of a configuration, or a refusal. */
export function mapKeys(
  config: Table,
  values: Readonly<Record<string, string>>,
): Pick<WorkerOptions, "env" | "exports"> {
  const env: Record<string, MiniflareEntry> = {};
  let exports: Record<string, MiniflareEntry> = {};

  for (const [key, value] of Object.entries(config)) {
    if (ONLY_DEPLOYED.has(key)) continue;
    switch (key) {
      case "name":
      case "main":
      case "compatibility_date":
      case "compatibility_flags":
        break;
      case "vars":
        Object.assign(env, mapVars(asTable(value, key)));
        break;
      case "secrets":
        requireSecrets(only(value, key, ["required"]), values);
        break;
      case "durable_objects":
        Object.assign(env, mapDurableObjects(only(value, key, ["bindings"])));
        break;
      case "exports":
        exports = mapExports(asTable(value, key));
        break;
      case "browser":
        env[text(only(value, key, ["binding"]), "binding", key)] = { type: "browser" };
        break;
      case "r2_buckets":
        Object.assign(env, mapBuckets(value));
        break;
      default:
        throw new TypeError(`Cannot map wrangler.toml: the local stack does not know "${key}"`);
    }
  }
  for (const [name, value] of Object.entries(values)) env[name] = { type: "text", value };
  return { env, exports };
}

function mapVars(vars: Table): Record<string, MiniflareEntry> {
  return Object.fromEntries(
    Object.entries(vars).map(([name, value]) => [
      name,
      { type: typeof value === "string" ? "text" : "json", value },
    ]),
  );
}

function requireSecrets(secrets: Table, values: Readonly<Record<string, string>>): void {
  for (const name of list(secrets["required"], "secrets.required")) {
    if (!((name as string) in values)) {
      throw new TypeError(`Cannot start the Worker: its secret ${String(name)} has no value`);
    }
  }
}

function mapDurableObjects(durableObjects: Table): Record<string, MiniflareEntry> {
  const path = "durable_objects.bindings";
  return Object.fromEntries(
    list(durableObjects["bindings"], path).map((entry) => {
      const binding = only(entry, path, ["name", "class_name"]);
      const exportName = text(binding, "class_name", path);
      return [text(binding, "name", path), { type: "durable-object", exportName }];
    }),
  );
}

function mapExports(classes: Table): Record<string, MiniflareEntry> {
  return Object.fromEntries(
    Object.entries(classes).map(([name, value]) => {
      const path = `exports.${name}`;
      const declared = only(value, path, ["type", "storage"]);
      const type = text(declared, "type", path);
      if (type !== "durable-object") {
        throw new TypeError(`Cannot map wrangler.toml: ${path} is of the type "${type}"`);
      }
      return [name, { type, storage: text(declared, "storage", path) }];
    }),
  );
}

function mapBuckets(value: unknown): Record<string, MiniflareEntry> {
  const path = "r2_buckets";
  return Object.fromEntries(
    list(value, path).map((entry) => {
      const bucket = only(entry, path, ["binding", "bucket_name"]);
      return [
        text(bucket, "binding", path),
        { type: "r2", name: text(bucket, "bucket_name", path) },
      ];
    }),
  );
}

/** Durable Object bindings name the Worker that has the class, and that is always this one. */
function localize(
  env: Readonly<Record<string, MiniflareEntry>>,
  worker: string,
): Record<string, MiniflareEntry> {
  return Object.fromEntries(
    Object.entries(env).map(([name, entry]) => [
      name,
      entry.type === "durable-object" ? { ...entry, worker } : entry,
    ]),
  );
}

function only(value: unknown, path: string, keys: readonly string[]): Table {
  const table = asTable(value, path);
  const unknown = Object.keys(table).find((key) => !keys.includes(key));
  if (unknown === undefined) return table;
  throw new TypeError(
    `Cannot map wrangler.toml: the local stack does not know "${path}.${unknown}"`,
  );
}

function asTable(value: unknown, path: string): Table {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Table;
  throw new TypeError(`Cannot map wrangler.toml: "${path}" is no table`);
}

function list(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new TypeError(`Cannot map wrangler.toml: "${path}" is no list`);
}

function text(table: Table, key: string, path: string): string {
  const value = table[key];
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot map wrangler.toml: "${path}.${key}" is no text`);
}
