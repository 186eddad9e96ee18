declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
    durableNamespaces: "Tenant" | "Control";
  }

  /** Bindings by their type. Variables and secrets are read by `readConfig` alone. */
  interface Env {
    readonly TENANT: DurableObjectNamespace<import("../durable-objects/tenant/tenant.ts").Tenant>;
    readonly CONTROL: DurableObjectNamespace<import("../durable-objects/control/control.ts").Control>;
  }
}

interface Env extends Cloudflare.Env {}
