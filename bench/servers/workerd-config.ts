import type { WorkerOptions } from "../../scripts/stack/worker-options.ts";

export interface WorkerdPlaces {
  readonly port: number;
  /** The bundled Worker's file, beside the configuration. */
  readonly module: string;
  /** Folder for the Durable Objects' SQLite files. */
  readonly storage: string;
}

/** A configuration for `workerd serve`, and which of the Worker's bindings it goes without. */
export interface WorkerdConfig {
  readonly text: string;
  readonly leftOut: readonly string[];
}

/**
 * Writes what wrangler.toml says in workerd's own terms: the Worker as it is deployed, without any
 * development server in front of it. Bindings that are not variables or Durable Objects are left out
 * and named: no isolate run touches them.
 */
export function workerdConfig(worker: WorkerOptions, places: WorkerdPlaces): WorkerdConfig {
  const leftOut: string[] = [];
  const bindings = Object.entries(worker.env).flatMap(([name, entry]) => {
    switch (entry.type) {
      case "text":
        return `(name = ${quote(name)}, text = ${quote(String(entry["value"]))})`;
      case "json":
        return `(name = ${quote(name)}, json = ${quote(JSON.stringify(entry["value"]))})`;
      case "durable-object":
        return `(name = ${quote(name)}, durableObjectNamespace = ${quote(String(entry["exportName"]))})`;
      default:
        leftOut.push(name);
        return [];
    }
  });
  const namespaces = Object.entries(worker.exports)
    .filter(([, { type }]) => type === "durable-object")
    .map(([name, { storage }]) => {
      const uniqueKey = quote(`${worker.name}-${name}`);
      const enableSql = storage === "sqlite";
      return `(className = ${quote(name)}, uniqueKey = ${uniqueKey}, enableSql = ${enableSql})`;
    });

  return {
    leftOut,
    text: `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "storage", disk = (path = ${quote(places.storage)}, writable = true)),
    # The default network refuses private addresses, and the sandbox-worker is on one.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:${places.port}", http = (), service = "worker"),
  ],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed ${quote(places.module)})],
  compatibilityDate = ${quote(worker.compatibilityDate)},
  compatibilityFlags = [${worker.compatibilityFlags.map(quote).join(", ")}],
  bindings = [
    ${bindings.join(",\n    ")}
  ],
  durableObjectNamespaces = [
    ${namespaces.join(",\n    ")}
  ],
  durableObjectStorage = (localDisk = "storage"),
);
`,
  };
}

/** A text literal of Cap'n Proto, which knows JSON's escapes but for those of control characters. */
function quote(text: string): string {
  const literal = JSON.stringify(text);
  if (literal.includes("\\u")) {
    throw new TypeError("Cannot write a workerd configuration: a value holds control characters");
  }
  return literal;
}
