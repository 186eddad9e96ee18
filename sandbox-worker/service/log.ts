import { logOf } from "../../executor-http/log.ts";

export const log = logOf("sandbox-worker");
