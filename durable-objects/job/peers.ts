import type {
  LaneOfJobs,
  LaneSettlement,
  QueuedLane,
  RunSettlement,
  SettleAnswer,
  TenantOfJobs,
} from "../job-contract.ts";

/** Longest wait for another object's answer; it commits, and does nothing long. Milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

type Stub<Calls> = {
  readonly [Call in keyof Calls]: Calls[Call] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never;
};

/** The objects that a Job settles with. A call that fails is answered undefined, and is safe to repeat. */
export class Peers {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  settleRun(tenant: string, settlement: RunSettlement): Promise<SettleAnswer | undefined> {
    return answered("tenant", () => this.#tenant(tenant).settleJob(settlement));
  }

  async cancelJob(tenant: string, jobId: string, reason: string): Promise<boolean> {
    const call = async () => {
      await this.#tenant(tenant).cancelJob(jobId, reason);
      return true;
    };
    return (await answered("tenant", call)) ?? false;
  }

  async renewSlots(lane: QueuedLane, epochs: readonly number[]): Promise<boolean> {
    const call = async () => {
      await this.#lane(lane).renew(epochs);
      return true;
    };
    return (await answered("lane", call)) ?? false;
  }

  async freeSlot(lane: QueuedLane, settlement: LaneSettlement): Promise<boolean> {
    const call = async () => {
      await this.#lane(lane).settle(settlement);
      return true;
    };
    return (await answered("lane", call)) ?? false;
  }

  // A stub that has thrown goes on throwing, so each call has its own.
  #tenant(tenant: string): Stub<TenantOfJobs> {
    return this.#env.TENANT.getByName(tenant) as unknown as Stub<TenantOfJobs>;
  }

  #lane(lane: QueuedLane): Stub<LaneOfJobs> {
    return this.#env.LANE.getByName(lane) as unknown as Stub<LaneOfJobs>;
  }
}

async function answered<T>(peer: string, call: () => Promise<T>): Promise<T | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const error = new Error(`Cannot wait longer than ${ANSWER_TIMEOUT_MS} ms for the ${peer}`);
  const timer = setTimeout(() => reject(error), ANSWER_TIMEOUT_MS);
  try {
    return await Promise.race([call(), late]);
  } catch (failure) {
    console.warn({ event: "job_peer_unanswered", peer, error: String(failure) });
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
