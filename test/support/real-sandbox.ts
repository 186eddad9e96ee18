import type { TestProject } from "vitest/node";

import "./provided-context.ts";
import { startSandboxService } from "./sandbox-service.ts";

/** Starts one real sandbox-worker for the tests in workerd, which cannot start a process. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const service = await startSandboxService();
  project.provide("sandboxUrl", service.url);
  return async () => {
    await service.stop();
  };
}
