import { createApp } from "./app.ts";

export { Control } from "../durable-objects/control/control.ts";
export { Tenant } from "../durable-objects/tenant/tenant.ts";

export default createApp();
