import { logOf } from "../executor-http/log.ts";

export const log = logOf("egress-proxy");
