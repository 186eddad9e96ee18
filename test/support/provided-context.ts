import "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the real sandbox-worker listens that serves the tests in workerd. */
    sandboxUrl: string;
  }
}
