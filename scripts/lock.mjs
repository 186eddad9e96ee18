import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { identify, isAlive } from "./process-identity.mjs";

const POLL_MS = 200;

/**
 * Runs `work` while no other process holds the lock file at `path`.
 *
 * The file names its holder by pid and start time, so what a dead process left never blocks, and
 * a live holder is waited for without end: its work is what the waiter needs done.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T> | T} work
 * @param {() => void} [onWait] Called once if another process holds the lock.
 * @returns {Promise<T>}
 */
export async function withLock(path, work, onWait) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify(identify(process.pid));
  let told = false;
  while (!acquire(path, mine)) {
    if (!told) onWait?.();
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  try {
    return await work();
  } finally {
    if (read(path) === mine) unlinkSync(path);
  }
}

/**
 * @param {string} path
 * @param {string} mine
 * @returns {boolean}
 */
function acquire(path, mine) {
  const held = read(path);
  if (held !== null) {
    if (isHeld(held)) return false;
    evict(path, held);
  }
  // A link appears whole or not at all: no reader ever sees a lock without its holder.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

/**
 * Takes a dead holder's lock away. Two waiters may both try: the second would move the first one's
 * fresh lock, sees that from the content, and puts it back.
 *
 * @param {string} path
 * @param {string} dead
 */
function evict(path, dead) {
  const moved = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, moved);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    if (read(moved) !== dead) linkSync(moved, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    unlinkSync(moved);
  }
}

/**
 * @param {string} held
 * @returns {boolean}
 */
function isHeld(held) {
  try {
    return isAlive(JSON.parse(held));
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @returns {string | null}
 */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/**
 * @param {unknown} error
 * @returns {unknown}
 */
function codeOf(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
