import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { writePrivately } from "./atomic-file.ts";
import { isKeyValid, mintKey } from "./mint.ts";

/** The tenant whose key the local stack prints. */
export const DEMO_TENANT = "demo";

const KeptKey = z.object({ key: z.string() });

/** The demo tenant's key: the one of an earlier start if the gateway still takes it, else a new one. */
export async function demoKey(gateway: string, adminToken: string, state: string): Promise<string> {
  const path = join(state, "demo-key.json");
  if (existsSync(path)) {
    const { key } = KeptKey.parse(JSON.parse(readFileSync(path, "utf8")));
    if (await isKeyValid(gateway, key)) return key;
  }
  const minted = await mintKey(gateway, adminToken, DEMO_TENANT, { name: "local stack" });
  writePrivately(path, `${JSON.stringify(minted, null, 2)}\n`);
  return minted.key;
}
