import type { TestProject } from "vitest/node";

import { startSandboxService } from "./sandbox-service.ts";

declare module "vitest" {
  interface ProvidedContext {
    sandboxUrl: string;
  }
}

/** Starts one real sandbox-worker for the tests in workerd, which cannot start a process. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const service = await startSandboxService();
  project.provide("sandboxUrl", service.url);
  return async () => {
    await service.stop();
  };
}
