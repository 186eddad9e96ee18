import { z } from "zod";

/** A request names the hosts it may reach; more would be a policy, not a permission. */
export const NET_PERMISSIONS_MAX = 100;

/**
 * One entry of `permissions.net`, in Deno's form: `host`, `host:port`, `*.host` (any name below
 * it, not the host itself), `[v6]`, `[v6]:port`, or `*` for any public host.
 */
export interface NetPattern {
  readonly host: string;
  readonly wildcard: boolean;
  readonly port: number | undefined;
}

const HOST =
  /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const V6 = /^\[[0-9a-f:.]+\]$/;

/** Reads one entry, or `undefined` where it is not of the form. Case does not matter. */
export function parseNetPattern(text: string): NetPattern | undefined {
  if (text.length > 262) return undefined;
  const lower = text.toLowerCase();
  if (lower === "*") return { host: "", wildcard: true, port: undefined };
  const wildcard = lower.startsWith("*.");
  const rest = wildcard ? lower.slice(2) : lower;
  const colon = rest.startsWith("[") ? rest.indexOf(":", rest.indexOf("]")) : rest.indexOf(":");
  const host = colon === -1 ? rest : rest.slice(0, colon);
  const portText = colon === -1 ? undefined : rest.slice(colon + 1);
  if (!HOST.test(host) && (wildcard || !V6.test(host))) return undefined;
  if (portText !== undefined && !/^[1-9][0-9]{0,4}$/.test(portText)) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > 65535) return undefined;
  return { host, wildcard, port };
}

/** Whether `host` (as `URL.hostname` spells it) and `port` are among what was granted. */
export function isHostGranted(
  patterns: readonly NetPattern[],
  host: string,
  port: number,
): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return patterns.some(
    (pattern) =>
      (pattern.port === undefined || pattern.port === port) &&
      (pattern.wildcard
        ? pattern.host === "" || name.endsWith(`.${pattern.host}`)
        : name === pattern.host),
  );
}

/** Whether everything that `asked` reaches is also reached by one of `allowed`. */
export function isNetPatternCovered(allowed: readonly NetPattern[], asked: NetPattern): boolean {
  return allowed.some((pattern) => {
    if (pattern.port !== undefined && pattern.port !== asked.port) return false;
    if (!pattern.wildcard) return !asked.wildcard && asked.host === pattern.host;
    if (pattern.host === "") return true;
    return (
      asked.host.endsWith(`.${pattern.host}`) || (asked.wildcard && asked.host === pattern.host)
    );
  });
}

export const NetPermission = /* @__PURE__ */ z
  .string()
  .refine((text) => parseNetPattern(text) !== undefined, {
    error: 'must be a host, host:port, *.host or "*"',
  });
