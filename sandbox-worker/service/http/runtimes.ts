import type { SandboxRuntimes } from "../../../protocol/sandbox-api.ts";

const engine = `V8 ${process.versions.v8}`;

/** What guests may be written in here. */
export const RUNTIMES: SandboxRuntimes = {
  runtimes: [
    { language: "javascript", version: "ES2025", lane: "isolate", engine },
    { language: "typescript", version: "5.9", lane: "isolate", engine },
  ],
};
