import type {
  EventPage,
  FollowAnswer,
  FollowRequest,
  JobDetails,
  JobFilter,
  LaneState,
  QueuedLane,
  RedriveAnswer,
  RedriveRequest,
  SubmitAnswer,
  SubmitRequest,
  TenantQueueView,
  WebhookDelivery,
} from "../../durable-objects/job-contract.ts";
import type { Failure } from "../../protocol/failure.ts";
import type { JobExplanation, JobPage, JobSummary } from "../../protocol/job.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import { type Called, callObject } from "./call-object.ts";

type Answer<T> = T | Promise<T>;

/** What the gateway asks of a Tenant about jobs. Null is a job that is not the tenant's, or no more. */
export interface TenantJobs {
  submitJobs(request: SubmitRequest): Answer<SubmitAnswer>;
  job(jobId: string): Answer<JobSummary | null>;
  introduceJob(jobId: string): Answer<void>;
  jobs(filter: JobFilter): Answer<JobPage>;
  cancelJob(jobId: string, reason: string): Answer<JobSummary | null>;
  redriveJob(request: RedriveRequest): Answer<RedriveAnswer | null>;
  explainJob(jobId: string): Answer<JobExplanation | null>;
  queueView(): Answer<TenantQueueView>;
}

/** What the gateway asks of a Job. */
export interface JobReads {
  redeliver(): Answer<readonly WebhookDelivery[]>;
  details(isOver: boolean): Answer<JobDetails>;
  events(after: number): Answer<EventPage>;
  follow(request: FollowRequest): Answer<FollowAnswer>;
  fetch(request: Request): Promise<Response>;
}

interface LaneReads {
  state(): Answer<LaneState>;
}

/** Where the objects are found, by their names. */
export interface JobNamespaces {
  readonly tenant: (tenant: string) => TenantJobs;
  readonly job: (tenant: string, jobId: string) => JobReads;
  readonly lane: (lane: QueuedLane) => LaneReads;
}

/** When to come back while an object cannot be asked. */
const UNAVAILABLE: Failure = { code: "jobs_unavailable", retryAfterMs: 1_000 };

const NO_JOB: Failure = { code: "not_found", what: "this job" };

/**
 * Asks the objects that hold jobs.
 *
 * A job is only ever looked for under the caller's own tenant, so another's is not found.
 */
export class JobObjects {
  readonly #namespaces: JobNamespaces;

  constructor(namespaces: JobNamespaces) {
    this.#namespaces = namespaces;
  }

  /** Hands jobs to their tenant: what is accepted is committed. Safe to repeat with the same ids. */
  submit(tenant: string, request: SubmitRequest): Promise<Result<SubmitAnswer>> {
    return this.#askTenant(tenant, (stub) => stub.submitJobs(request));
  }

  async find(tenant: string, jobId: string): Promise<Result<JobSummary>> {
    return found(await this.#askTenant(tenant, (stub) => stub.job(jobId)));
  }

  /** Has a job that waits tell its followers so. What fails is made up for when the job starts. */
  async introduce(tenant: string, jobId: string): Promise<void> {
    await this.#askTenant(tenant, (stub) => stub.introduceJob(jobId));
  }

  list(tenant: string, filter: JobFilter): Promise<Result<JobPage>> {
    return this.#askTenant(tenant, (stub) => stub.jobs(filter));
  }

  /** Ends a job, queued or running; one that is over stays as it ended. */
  async cancel(tenant: string, jobId: string, reason: string): Promise<Result<JobSummary>> {
    return found(await this.#askTenant(tenant, (stub) => stub.cancelJob(jobId, reason)));
  }

  async redrive(tenant: string, request: RedriveRequest): Promise<Result<RedriveAnswer>> {
    return found(await this.#askTenant(tenant, (stub) => stub.redriveJob(request)));
  }

  async explain(tenant: string, jobId: string): Promise<Result<JobExplanation>> {
    return found(await this.#askTenant(tenant, (stub) => stub.explainJob(jobId)));
  }

  queue(tenant: string): Promise<Result<TenantQueueView>> {
    return this.#askTenant(tenant, (stub) => stub.queueView());
  }

  /** A lane as it stands; undefined where it cannot be asked now. */
  async lane(lane: QueuedLane): Promise<LaneState | undefined> {
    const called = await callObject<LaneReads, LaneState>(
      `lane ${lane}`,
      () => this.#namespaces.lane(lane),
      async (stub) => stub.state(),
    );
    return called.kind === "answered" ? called.value : undefined;
  }

  /** What a job's own object knows of it. The caller has found the job with its tenant, over or not. */
  details(tenant: string, jobId: string, isOver: boolean): Promise<Result<JobDetails>> {
    return this.#askJob(tenant, jobId, (stub) => stub.details(isOver));
  }

  events(tenant: string, jobId: string, after: number): Promise<Result<EventPage>> {
    return this.#askJob(tenant, jobId, (stub) => stub.events(after));
  }

  /** Follows a job live. The body is the caller's to read to its end or to cancel. */
  follow(tenant: string, jobId: string, request: FollowRequest): Promise<Result<FollowAnswer>> {
    return this.#askJob(tenant, jobId, (stub) => stub.follow(request));
  }

  /** Has a job's callback told again of all that it was to be told. */
  redeliver(tenant: string, jobId: string): Promise<Result<readonly WebhookDelivery[]>> {
    return this.#askJob(tenant, jobId, (stub) => stub.redeliver());
  }

  /** Passes a WebSocket on to the job. */
  upgrade(tenant: string, jobId: string, request: Request): Promise<Response> {
    return this.#namespaces.job(tenant, jobId).fetch(request);
  }

  async #askTenant<T>(tenant: string, ask: (stub: TenantJobs) => Answer<T>): Promise<Result<T>> {
    return answered(
      await callObject<TenantJobs, T>(
        `tenant ${tenant}`,
        () => this.#namespaces.tenant(tenant),
        async (stub) => ask(stub),
      ),
    );
  }

  async #askJob<T>(
    tenant: string,
    jobId: string,
    ask: (stub: JobReads) => Answer<T>,
  ): Promise<Result<T>> {
    return answered(
      await callObject<JobReads, T>(
        `job ${tenant}/${jobId}`,
        () => this.#namespaces.job(tenant, jobId),
        async (stub) => ask(stub),
      ),
    );
  }
}

const answered = <T>(called: Called<T>): Result<T> =>
  called.kind === "answered" ? ok(called.value) : fail(UNAVAILABLE);

const found = <T>(result: Result<T | null>): Result<T> =>
  result.ok ? (result.value === null ? fail(NO_JOB) : ok(result.value)) : result;
