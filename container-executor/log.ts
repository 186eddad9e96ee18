import { logOf } from "../executor-http/log.ts";

export const log = logOf("container-executor");
