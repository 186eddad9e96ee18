import { createApp } from "./app.ts";

export { Control } from "../durable-objects/control/control.ts";
export { Job } from "../durable-objects/job/job.ts";
export { Lane } from "../durable-objects/lane/lane.ts";
export { Tenant } from "../durable-objects/tenant/tenant.ts";

export default createApp();
