import { CONTROL_NAME } from "../durable-objects/control/control.ts";
import { createApp } from "./app.ts";

export { Control } from "../durable-objects/control/control.ts";
export { Job } from "../durable-objects/job/job.ts";
export { Lane } from "../durable-objects/lane/lane.ts";
export { Tenant } from "../durable-objects/tenant/tenant.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  /** The cron trigger: what an alarm was lost for is found. */
  scheduled: async (_event, env) => {
    await env.CONTROL.getByName(CONTROL_NAME).sweep();
  },
} satisfies ExportedHandler<Env>;
