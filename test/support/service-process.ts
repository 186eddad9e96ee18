import { type ChildProcess, spawn } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { BOOT_HEADER, formatSignature, signedText } from "../../protocol/signature.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const START_MAX_MS = 60_000;
const POLL_MS = 5;

/** What tests and the services that they start share. */
const TEST_SECRET = "e".repeat(32);

/** A service of the project's, in a process of its own. */
export interface ServiceProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly bootId: string;
  /** Every line that it logged so far. */
  readonly logged: readonly Record<string, unknown>[];
  /** What it wrote to standard error so far: nothing, where all is well. */
  readonly complaints: () => string;
  /** Resolves with its exit code, once it is gone. */
  readonly exited: Promise<number | null>;
}

/**
 * Starts the real service of a folder on a free port, as the user `uid` where one is given.
 * Resolves once it takes work.
 *
 * @throws With all it said, where it ends before.
 */
export async function startServiceProcess(
  folder: string,
  env: Readonly<Record<string, string>>,
  uid?: number,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [join(ROOT, folder, "main.ts")], {
    cwd: ROOT,
    ...(uid === undefined ? {} : { uid, gid: uid }),
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOST: "127.0.0.1",
      PORT: "0",
      EXECUTOR_SECRET: `a:${TEST_SECRET}`,
      ...env,
    },
  });
  const exited = new Promise<number | null>((done) => child.once("close", done));
  const logged: Record<string, unknown>[] = [];
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const port = await new Promise<number>((listening, failed) => {
    createInterface(child.stdout).on("line", (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      logged.push(entry);
      if (entry["event"] === "service.listening") listening(entry["port"] as number);
    });
    void exited.then((code) => {
      const log = logged.map((entry) => JSON.stringify(entry)).join("\n");
      failed(new Error(`the service ended with ${code}\n${log}\n${stderr}`));
    });
  });
  const url = `http://127.0.0.1:${port}`;
  const bootId = await becomesReady(url);
  return { child, pid: child.pid!, url, bootId, logged, complaints: () => stderr, exited };
}

/** How a request is signed; what is left out is as it should be. */
export interface Signing {
  readonly bootId: string;
  readonly secret?: string | undefined;
  readonly secretId?: string | undefined;
  readonly timestampMs?: number | undefined;
  readonly nonce?: string | undefined;
}

/** The signature of a gateway's request. */
export function signRequest(
  line: { readonly method: string; readonly target: string },
  body: string,
  signing: Signing,
): string {
  const {
    bootId,
    secret = TEST_SECRET,
    secretId = "a",
    timestampMs = Date.now(),
    nonce = randomBytes(16).toString("hex"),
  } = signing;
  const bodyDigest = createHash("sha256").update(body).digest("hex");
  const text = signedText({ ...line, timestampMs, nonce, bootId, bodyDigest });
  const mac = createHmac("sha256", secret).update(text).digest("hex");
  return formatSignature({ secretId, timestampMs, nonce, bootId, mac });
}

async function becomesReady(url: string): Promise<string> {
  const deadline = Date.now() + START_MAX_MS;
  for (;;) {
    const response = await fetch(`${url}/readyz`);
    const body = await response.text();
    const bootId = response.headers.get(BOOT_HEADER);
    if (response.ok && bootId !== null) return bootId;
    if (Date.now() > deadline) throw new Error(`the service is not ready: ${body}`);
    await sleep(POLL_MS);
  }
}
