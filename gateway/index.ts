import { createApp } from "./app.ts";

export { Control } from "../durable-objects/control.ts";
export { Tenant } from "../durable-objects/tenant.ts";

export default createApp();
