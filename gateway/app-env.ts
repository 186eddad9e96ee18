import type { Principal } from "./identity/tenant-gate.ts";
import type { Services } from "./services.ts";

/** What the app's handlers find in their context. */
export interface AppEnv {
  readonly Bindings: Env;
  readonly Variables: {
    readonly requestId: string;
    readonly services: Services;
    /** Who asks; set by `authenticate`. */
    readonly principal: Principal;
  };
}
