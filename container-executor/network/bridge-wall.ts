import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** To this machine itself, and by it to anywhere else. */
const WALLED = ["INPUT", "FORWARD"];

/**
 * Lets a bridge's members reach one port of this machine, and nothing else of it. Raised again, it
 * is the new port's. The chain has the bridge's name.
 *
 * @throws {Error} Where the machine's packet filter cannot be told.
 */
export async function raiseBridgeWall(
  bridge: string,
  address: string,
  port: number,
): Promise<void> {
  // Rules of an earlier life of the service would let its port through.
  if (!(await iptables(["-N", bridge]))) await must(["-F", bridge]);
  const tcp = ["-p", "tcp", "-d", address, "--dport", String(port)];
  await must(["-A", bridge, ...tcp, "-j", "ACCEPT"]);
  await must(["-A", bridge, "-j", "DROP"]);
  for (const chain of WALLED) {
    const jump = [chain, "-i", bridge, "-j", bridge];
    if (!(await iptables(["-C", ...jump]))) await must(["-I", ...jump]);
  }
}

/** Takes the wall down, once nothing is on the bridge. */
export async function lowerBridgeWall(bridge: string): Promise<void> {
  for (const chain of WALLED) await iptables(["-D", chain, "-i", bridge, "-j", bridge]);
  await iptables(["-F", bridge]);
  await iptables(["-X", bridge]);
}

async function must(args: readonly string[]): Promise<void> {
  if (await iptables(args)) return;
  throw new Error(`Cannot close the network off from this machine: "iptables ${args[0]}" failed`);
}

async function iptables(args: readonly string[]): Promise<boolean> {
  try {
    await run("iptables", ["-w", "5", ...args]);
    return true;
  } catch {
    return false;
  }
}
