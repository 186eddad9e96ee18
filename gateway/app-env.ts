import type { Services } from "./services.ts";
import type { Principal } from "./tenant-gate.ts";

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
