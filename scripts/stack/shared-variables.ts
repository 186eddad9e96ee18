import { join } from "node:path";

import { readVariables } from "./worker-options.ts";

/** Variables of wrangler.toml that mean the same to a container-executor, as its own ceiling. */
const SHARED = [
  "ALLOWED_IMAGES",
  "CONTAINER_DISK_MB",
  "DOCKER_CPU_LIMIT",
  "DOCKER_MEMORY_LIMIT",
  "DOCKER_PIDS_LIMIT",
  "MAX_CONCURRENT_CONTAINERS",
] as const;

/** What the gateway is told of containers, for the executor to be told, too. */
export function sharedVariables(
  root: string,
  replaced: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const variables = { ...readVariables(join(root, "wrangler.toml")), ...replaced };
  return Object.fromEntries(
    SHARED.flatMap((name) => {
      const value = variables[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
