import { createServer } from "node:net";

const MAX_PORT = 65_535;

/**
 * The port that a variable asks for, or null when it asks for none.
 *
 * @throws {TypeError} When it is set to something else than a port.
 */
export function portFrom(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): number | null {
  const value = env[name];
  if (value === undefined || value === "") return null;
  const port = /^\d+$/.test(value) ? Number(value) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  throw new TypeError(`Cannot read ${name}: "${value}" is no port`);
}

/** A port of 127.0.0.1 that nothing listens on at this moment. */
async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === null) throw new Error("Cannot find a free port on 127.0.0.1");
  return port;
}

/**
 * The port asked for, or a free one when none is.
 *
 * @throws When something listens on it already.
 */
export async function takePort(wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return freePort();
  if ((await listenOnce(wanted)) !== null) return wanted;
  throw new Error(`Cannot use port ${wanted} of 127.0.0.1: something listens on it already`);
}

/** The port asked for if it is free, else another one. */
export async function preferPort(port: number): Promise<number> {
  return (await listenOnce(port)) ?? (await freePort());
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : null));
    });
  });
}
