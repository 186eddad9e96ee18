declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
    durableNamespaces: "Tenant" | "Control" | "Job" | "Lane";
  }

  /** Bindings by their type. Variables and secrets are read by `readConfig` alone. */
  interface Env {
    readonly TENANT: DurableObjectNamespace<import("../durable-objects/tenant/tenant.ts").Tenant>;
    readonly JOB: DurableObjectNamespace<import("../durable-objects/job/job.ts").Job>;
    readonly ARTIFACTS: R2Bucket;
    readonly LANE: DurableObjectNamespace<import("../durable-objects/lane/lane.ts").Lane>;
    readonly CONTROL: DurableObjectNamespace<import("../durable-objects/control/control.ts").Control>;
  }
}

interface Env extends Cloudflare.Env {}
