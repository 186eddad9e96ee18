import * as errors from "./deno-errors.ts";
import { load } from "./lazy-modules.ts";
import { type RequestHandler, serveWith } from "./run-main.ts";
import { currentRun } from "./run-state.ts";
import { EventTarget } from "./web/event-target.ts";
import { toDomText } from "./web/idl.ts";

const envOf = (): Readonly<Record<string, string>> => currentRun()?.boot.env ?? {};

const env = {
  get(name: unknown): string | undefined {
    const key = String(name);
    return Object.hasOwn(envOf(), key) ? envOf()[key] : undefined;
  },
  has: (name: unknown): boolean => Object.hasOwn(envOf(), String(name)),
  toObject: (): Record<string, string> => ({ ...envOf() }),
  set(name: unknown): never {
    throw new errors.NotCapable(
      `Requires env access to set "${String(name)}": a run's env is what its request says`,
    );
  },
  delete(name: unknown): never {
    throw new errors.NotCapable(
      `Requires env access to delete "${String(name)}": a run's env is what its request says`,
    );
  },
};

interface PermissionDescriptor {
  readonly name?: unknown;
  readonly host?: unknown;
  readonly variable?: unknown;
}

const NAMES = new Set(["run", "read", "write", "net", "env", "sys", "ffi", "import"]);

/** Whether a run has a permission; it can't gain one, so this never changes. */
class PermissionStatus extends EventTarget {
  readonly #isGranted: boolean;
  onchange: unknown = null;

  constructor(isGranted: boolean) {
    super();
    this.#isGranted = isGranted;
  }
  get state(): "granted" | "denied" {
    return this.#isGranted ? "granted" : "denied";
  }
  get partial(): boolean {
    return false;
  }
}

function isGranted({ name, host }: PermissionDescriptor): boolean {
  // A run's own variables are there to be read.
  if (name === "env") return true;
  if (name !== "net") return false;
  if (host === undefined) return currentRun()?.boot.net.includes("*") ?? false;
  const { hostname, port } = splitHost(toDomText(host));
  return load.fetch().isNetGranted(hostname, port);
}

function splitHost(host: string): { hostname: string; port: number } {
  const found = /^(.*?)(?::(\d+))?$/.exec(host);
  return { hostname: found?.[1] ?? host, port: found?.[2] === undefined ? 443 : Number(found[2]) };
}

function querySync(descriptor: PermissionDescriptor): PermissionStatus {
  if (
    typeof descriptor !== "object" ||
    descriptor === null ||
    !NAMES.has(String(descriptor.name))
  ) {
    throw new TypeError("Cannot query a permission: its name is not known");
  }
  return new PermissionStatus(isGranted(descriptor));
}

const permissions = {
  querySync,
  query: async (descriptor: PermissionDescriptor): Promise<PermissionStatus> =>
    querySync(descriptor),
  requestSync: querySync,
  request: async (descriptor: PermissionDescriptor): Promise<PermissionStatus> =>
    querySync(descriptor),
};

/** Registers a handler for the run's request. There is no port: one run has one request. */
function serve(first: unknown, second?: unknown): object {
  const options = typeof first === "object" && first !== null ? first : {};
  const handler =
    typeof first === "function" ? first : (second ?? (options as { handler?: unknown }).handler);
  if (typeof handler !== "function") {
    throw new TypeError("Cannot serve: there is no handler");
  }
  serveWith(handler as RequestHandler);
  const finished = Promise.resolve();
  const shutdown = async (): Promise<void> => {};
  return {
    addr: { transport: "tcp", hostname: "localhost", port: 0 },
    finished,
    shutdown,
    ref: (): void => {},
    unref: (): void => {},
    [Symbol.asyncDispose]: shutdown,
  };
}

/** What a program may ask of Deno's own names here. */
export const Deno = Object.freeze({
  env: Object.freeze(env),
  permissions: Object.freeze(permissions),
  serve,
  errors: Object.freeze({ ...errors }),
  args: Object.freeze([] as string[]),
  inspect: (value: unknown, options?: object): string => load.inspect().inspect(value, options),
  build: Object.freeze({
    target: "unknown-bulkhead",
    arch: "unknown",
    os: "linux",
    vendor: "unknown",
    standalone: false,
  }),
  get version(): Readonly<Record<string, string>> {
    const { bulkhead, v8, typescript } = currentRun()?.boot.versions ?? {
      bulkhead: "",
      v8: "",
      typescript: "",
    };
    return Object.freeze({ deno: bulkhead, bulkhead, v8, typescript });
  },
});
