import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { takePort } from "../../scripts/stack/ports.ts";

export interface WranglerDev {
  readonly url: string;
  /** Resolves once it and its children are gone. */
  stop(): Promise<void>;
}

const START_MAX_MS = 60_000;

/** Starts plain `wrangler dev` on a free port, with these variables and secrets, and waits until it answers. */
export async function startWranglerDev(
  root: string,
  values: Readonly<Record<string, string>>,
): Promise<WranglerDev> {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-wrangler-"));
  const envFile = join(folder, "dev.env");
  const lines = Object.entries(values).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  writeFileSync(envFile, lines.join("\n"), { mode: 0o600 });
  const port = await takePort(undefined);
  const child = spawn(
    process.execPath,
    [
      join(root, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      "--ip=127.0.0.1",
      `--port=${port}`,
      "--inspector-port=0",
      `--env-file=${envFile}`,
      `--persist-to=${join(folder, "state")}`,
      "--show-interactive-dev-session=false",
    ],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, CI: "true", WRANGLER_SEND_METRICS: "false" },
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill("SIGTERM");
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_MAX_MS;
  for (;;) {
    const answered = await fetch(`${url}/healthz`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return { url, stop };
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`Cannot start wrangler dev: ${output.slice(-2000)}`);
    }
  }
}
