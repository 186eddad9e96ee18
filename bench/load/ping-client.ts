import { Pool } from "undici";
import { z } from "zod";

import { serveLoads } from "./serve-loads.ts";

/** The least that an HTTP request to a service costs: its `/healthz`. */
export const PingTarget = z.strictObject({ url: z.url() });
export type PingTarget = z.infer<typeof PingTarget>;

serveLoads((given) => {
  const pool = new Pool(PingTarget.parse(given).url, { connections: 64, pipelining: 1 });
  return Promise.resolve({
    async call() {
      const answer = await pool.request({ path: "/healthz", method: "GET" });
      await answer.body.dump();
      return answer.statusCode;
    },
    check(status: number) {
      if (status !== 200) throw new Error(`Cannot use an answer of /healthz: it was ${status}`);
      return {};
    },
    close: () => pool.close(),
  });
});
