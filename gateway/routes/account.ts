import { Hono } from "hono";

import { dayOf } from "../../durable-objects/tenant/quota.ts";
import { FailureError } from "../../protocol/failure.ts";
import type { UsageAnswer } from "../../protocol/tenant-answers.ts";
import { limitsAnswer } from "../answer/limits-answer.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { authenticate, authorize } from "../middleware/authenticate.ts";

/** What a tenant may see of itself. */
export const account = new Hono<AppEnv>();

const DAY_MS = 24 * 60 * 60 * 1000;

/** The days that one answer of `/v1/usage` goes back, at most. */
const USAGE_DAYS_MAX = 400;

account.get("/v1/limits", authenticate, authorize("read"), async (c) => {
  const { tenant, keyId } = c.get("principal");
  const { gate, config } = c.get("services");
  const now = Date.now();
  const overview = unwrap(await gate.overview(tenant, keyId, dayOf(now)));
  return c.json(limitsAnswer(tenant, overview, config, now));
});

account.get("/v1/usage", authenticate, authorize("read"), async (c) => {
  const { tenant, keyId } = c.get("principal");
  const asked = c.req.query("days") ?? "30";
  const days = /^[0-9]{1,3}$/.test(asked) ? Number(asked) : 0;
  if (days < 1 || days > USAGE_DAYS_MAX) {
    const message = `must be a whole number from 1 to ${USAGE_DAYS_MAX}`;
    throw new FailureError({ code: "malformed_request", issues: [{ path: "days", message }] });
  }
  const since = dayOf(Date.now() - (days - 1) * DAY_MS);
  const { usage } = unwrap(await c.get("services").gate.overview(tenant, keyId, since));
  const answer: UsageAnswer = { tenant, usage: [...usage] };
  return c.json(answer);
});

account.get("/v1/runtimes", authenticate, authorize("read"), async (c) => {
  const { isolates, containers } = c.get("services");
  const [scripts, images] = await Promise.all([
    isolates.runtimes(),
    containers.runtimes(Date.now()),
  ]);
  // A lane that does not answer hides no other's languages.
  if (!scripts.ok && (images === undefined || images.length === 0)) {
    throw new FailureError(scripts.failure);
  }
  const runtimes = [...(scripts.ok ? scripts.value.runtimes : []), ...(images ?? [])];
  return c.json({ runtimes });
});
