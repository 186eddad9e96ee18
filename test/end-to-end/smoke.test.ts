import { join } from "node:path";

import { afterAll, beforeAll } from "vitest";

import { type Stack, startStack } from "../../scripts/stack/stack.ts";
import { smokeSuite } from "../support/smoke-suite.ts";
import { startWranglerDev, type WranglerDev } from "../support/wrangler-dev.ts";

const ROOT = join(import.meta.dirname, "../..");

let stack: Stack;
let wrangler: WranglerDev;

beforeAll(async () => {
  stack = await startStack({ root: ROOT });
  wrangler = await startWranglerDev(ROOT, {
    SANDBOX_URLS: stack.sandbox,
    KEY_SIGNING_SECRET: stack.secrets.KEY_SIGNING_SECRET,
    EXECUTOR_SECRET: stack.secrets.EXECUTOR_SECRET,
    ADMIN_TOKEN: stack.secrets.ADMIN_TOKEN,
  });
});

afterAll(async () => {
  await wrangler?.stop();
  await stack?.stop();
});

smokeSuite("the local stack", () => ({
  adminToken: stack.secrets.ADMIN_TOKEN,
  fetch: (path, init) => fetch(stack.gateway + path, init),
}));

smokeSuite("wrangler dev", () => ({
  adminToken: stack.secrets.ADMIN_TOKEN,
  fetch: (path, init) => fetch(wrangler.url + path, init),
}));
