import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { writePrivately } from "./atomic-file.ts";

const Secrets = z.object({
  KEY_SIGNING_SECRET: z.string(),
  EXECUTOR_SECRET: z.string(),
  ADMIN_TOKEN: z.string(),
  // A state folder of before there were webhooks has it without its id.
  WEBHOOK_SECRET: z.string().transform((text) => (text.includes(":") ? text : `a:${text}`)),
});

/** What the services of one stack keep from everyone else. */
export type Secrets = z.infer<typeof Secrets>;

/** The secrets of a state folder, made the first time: keys signed before a restart stay valid. */
export function keepSecrets(state: string): Secrets {
  const path = join(state, "secrets.json");
  if (existsSync(path)) return Secrets.parse(JSON.parse(readFileSync(path, "utf8")));
  const secrets = makeSecrets();
  writePrivately(path, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

function makeSecrets(): Secrets {
  const secret = () => randomBytes(32).toString("hex");
  return {
    KEY_SIGNING_SECRET: `a:${secret()}`,
    EXECUTOR_SECRET: `a:${secret()}`,
    ADMIN_TOKEN: secret(),
    WEBHOOK_SECRET: `a:${secret()}`,
  };
}
