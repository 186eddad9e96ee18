import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Where the engine listens, as its client wants it. */
export type EngineAddress =
  | { readonly kind: "socket"; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null;
    };

export const DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock";

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/**
 * Reads the variables that every client of the engine reads: `DOCKER_HOST` (`unix://`, `tcp://`),
 * `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` with its `ca.pem`, `cert.pem` and `key.pem`.
 *
 * @throws {TypeError} Where the host is of another form, or a certificate cannot be read.
 */
export function readEngineAddress(
  dockerHost: string,
  tls: { readonly verify: boolean; readonly certPath: string | undefined },
): EngineAddress {
  if (dockerHost.startsWith("unix://")) {
    return { kind: "socket", path: dockerHost.slice("unix://".length) };
  }
  const url = URL.parse(dockerHost);
  if (url === null || url.protocol !== "tcp:" || url.hostname === "") {
    throw new TypeError("DOCKER_HOST: must be unix://<path> or tcp://<host>:<port>");
  }
  const port = url.port === "" ? (tls.verify ? TLS_PORT : PLAIN_PORT) : Number(url.port);
  const host = url.hostname;
  if (!tls.verify) return { kind: "tcp", host, port, tls: null };
  const { certPath } = tls;
  if (certPath === undefined) {
    throw new TypeError("DOCKER_CERT_PATH: must be set where DOCKER_TLS_VERIFY is");
  }
  const read = (name: string): string => {
    try {
      return readFileSync(join(certPath, name), "utf8");
    } catch {
      throw new TypeError(`DOCKER_CERT_PATH: "${name}" cannot be read there`);
    }
  };
  return {
    kind: "tcp",
    host,
    port,
    tls: { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") },
  };
}
