import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Names one life of one process: a pid alone comes round again, a pid with the moment it started
 * does not.
 *
 * @typedef {{ readonly pid: number, readonly startTime: string }} ProcessIdentity
 */

/**
 * The start time of a live process, or null when no process has this pid. A zombie counts as gone:
 * it holds nothing and nothing can be done to it.
 *
 * @param {number} pid
 * @returns {string | null}
 */
export function startTimeOf(pid) {
  if (process.platform !== "linux") return startTimeFromPs(pid);
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  return startTimeFromStat(stat);
}

/**
 * Reads the start time out of a line of `/proc/<pid>/stat`. The command name in it is chosen by the
 * program and may hold spaces and parentheses, so the fields are counted from its last one.
 *
 * @param {string} stat
 * @returns {string | null}
 */
export function startTimeFromStat(stat) {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  return state === "Z" || state === "X" ? null : (fields[19] ?? null);
}

/**
 * @param {number} pid
 * @returns {string | null}
 */
function startTimeFromPs(pid) {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return null;
  }
}

/**
 * The identity of a live process, or null when there is none with this pid.
 *
 * @param {number} pid
 * @returns {ProcessIdentity | null}
 */
export function identify(pid) {
  const startTime = startTimeOf(pid);
  return startTime === null ? null : { pid, startTime };
}

/**
 * Whether the very process that was recorded still lives.
 *
 * @param {ProcessIdentity} recorded
 * @returns {boolean}
 */
export function isAlive(recorded) {
  return startTimeOf(recorded.pid) === recorded.startTime;
}
