import { request, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";

/** Where a Docker engine listens. */
export type DockerEndpoint =
  | { readonly kind: "socket"; readonly socketPath: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export interface DockerRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: Readable;
  /** How long the engine may say nothing at all. */
  readonly silenceMs: number;
}

export interface DockerResponse {
  readonly status: number;
  readonly text: string;
}

const DEFAULT_PORT = 2375;
const MAX_ANSWER_CHARS = 256 * 1024;

/** Reads a DOCKER_HOST; null for a kind of address that needs the docker client itself. */
export function parseDockerHost(value: string): DockerEndpoint | null {
  if (value.startsWith("unix://")) return { kind: "socket", socketPath: value.slice(7) };
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !["tcp:", "http:"].includes(url.protocol)) return null;
  return { kind: "tcp", host: url.hostname, port: Number(url.port) || DEFAULT_PORT };
}

/** The DOCKER_HOST that names an endpoint. */
export function dockerHost(endpoint: DockerEndpoint): string {
  return endpoint.kind === "socket"
    ? `unix://${endpoint.socketPath}`
    : `tcp://${endpoint.host}:${endpoint.port}`;
}

/**
 * Asks a Docker engine and collects its whole answer.
 *
 * @throws When the engine cannot be reached or goes silent.
 */
export async function askDocker(
  endpoint: DockerEndpoint,
  { method, path, body, silenceMs }: DockerRequest,
): Promise<DockerResponse> {
  const address =
    endpoint.kind === "socket"
      ? { socketPath: endpoint.socketPath }
      : { host: endpoint.host, port: endpoint.port };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ ...address, method, path, agent: false, timeout: silenceMs });
    outgoing.once("timeout", () => {
      outgoing.destroy(new Error(`the engine said nothing for ${silenceMs} ms`));
    });
    outgoing.once("error", reject);
    outgoing.once("response", resolve);
    if (body === undefined) {
      outgoing.end();
    } else {
      body.once("error", (error) => outgoing.destroy(error));
      outgoing.setHeader("content-type", "application/x-tar");
      body.pipe(outgoing);
    }
  });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text = (text + String(chunk)).slice(-MAX_ANSWER_CHARS);
  }
  return { status: response.statusCode ?? 0, text };
}

/** The engine's version, or null when nothing answers there as an engine does. */
export async function engineVersion(endpoint: DockerEndpoint): Promise<string | null> {
  try {
    const { status, text } = await askDocker(endpoint, {
      method: "GET",
      path: "/version",
      silenceMs: 3_000,
    });
    if (status !== 200) return null;
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null && "Version" in answer
      ? String(answer.Version)
      : null;
  } catch {
    return null;
  }
}
