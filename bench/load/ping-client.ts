import { Pool } from "undici";
import { z } from "zod";

import { serveLoads } from "./serve-loads.ts";

/** A request whose answer is looked at for its status alone. */
export const PingTarget = z.strictObject({
  url: z.url(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  /** Sent by POST; null is a GET. */
  body: z.string().nullable().default(null),
  /** The only status that is right. */
  status: z.number().int().default(200),
});
export type PingTarget = z.input<typeof PingTarget>;

serveLoads((given) => {
  const { url, path, headers, body, status: right } = PingTarget.parse(given);
  const method = body === null ? "GET" : "POST";
  const pool = new Pool(url, { connections: 64, pipelining: 1 });
  return Promise.resolve({
    async call() {
      const answer = await pool.request({ path, method, headers, body });
      await answer.body.dump();
      return answer.statusCode;
    },
    check(status: number) {
      if (status !== right) throw new Error(`Cannot use an answer of ${path}: it was ${status}`);
      return {};
    },
    close: () => pool.close(),
  });
});
