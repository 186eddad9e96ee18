import { Pool } from "undici";
import { z } from "zod";

import { serveLoads } from "./serve-loads.ts";

/** A request without work: what the way to a service costs. */
export const PingTarget = z.strictObject({
  url: z.url(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
});
export type PingTarget = z.infer<typeof PingTarget>;

serveLoads((given) => {
  const { url, path, headers } = PingTarget.parse(given);
  const pool = new Pool(url, { connections: 64, pipelining: 1 });
  return Promise.resolve({
    async call() {
      const answer = await pool.request({ path, method: "GET", headers });
      await answer.body.dump();
      return answer.statusCode;
    },
    check(status: number) {
      if (status !== 200) throw new Error(`Cannot use an answer of ${path}: it was ${status}`);
      return {};
    },
    close: () => pool.close(),
  });
});
