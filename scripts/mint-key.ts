import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { mintKey } from "./stack/mint.ts";
import { readStackFile } from "./stack/stack-file.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const USAGE = "npm run key -- <tenant> [--name x] [--scopes a,b] [--expires 2027-01-31T00:00:00Z]";

try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", default: "from the command line" },
      scopes: { type: "string" },
      expires: { type: "string" },
    },
  });
  const [tenant] = positionals;
  if (tenant === undefined || positionals.length > 1) throw new TypeError(`Usage: ${USAGE}`);
  const { gateway, adminToken } = whereToAsk();
  const { key } = await mintKey(gateway, adminToken, tenant, {
    name: values.name,
    ...(values.scopes === undefined ? {} : { scopes: values.scopes.split(",") }),
    ...(values.expires === undefined ? {} : { expiresAt: values.expires }),
  });
  console.log(key);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function whereToAsk(): { readonly gateway: string; readonly adminToken: string } {
  const gateway = process.env["BULKHEAD_URL"];
  const adminToken = process.env["ADMIN_TOKEN"];
  if (gateway !== undefined && adminToken !== undefined) return { gateway, adminToken };
  try {
    return readStackFile(join(ROOT, ".bulkhead/stack.json"));
  } catch (error) {
    throw new Error(
      "Cannot find a gateway: start the local stack, or set BULKHEAD_URL and ADMIN_TOKEN",
      { cause: error },
    );
  }
}
