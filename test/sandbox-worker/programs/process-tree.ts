import { readdirSync, readFileSync } from "node:fs";

/** One thread or process as `/proc` shows it. */
interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  /** Clock ticks of CPU, user and system. */
  readonly ticks: number;
}

function readStat(path: string): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
  // The command's name is in parentheses and may hold anything, parentheses too.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number(text.slice(0, text.indexOf(" "))),
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}

const isNumber = (name: string): boolean => /^[0-9]+$/.test(name);

/** Every process below `root`, whatever its namespaces, zombies left out. */
function descendants(root: number): readonly Stat[] {
  const all = readdirSync("/proc")
    .filter(isNumber)
    .map((pid) => readStat(`/proc/${pid}/stat`))
    .filter((stat) => stat !== undefined);
  const below = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const { pid, parent } of all) {
      if (!below.has(parent) || below.has(pid)) continue;
      below.add(pid);
      grew = true;
    }
  }
  return all.filter(({ pid, state }) => pid !== root && below.has(pid) && state !== "Z");
}

/** The processes below `root` of which some thread is on a core, or waits for one, right now. */
export function running(root: number): readonly number[] {
  return descendants(root)
    .map(({ pid }) => pid)
    .filter((pid) => threads(pid).some(({ state }) => state === "R"));
}

function threads(pid: number): readonly Stat[] {
  let names: readonly string[];
  try {
    names = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return names
    .map((tid) => readStat(`/proc/${pid}/task/${tid}/stat`))
    .filter((stat) => stat !== undefined);
}

export function isAlive(pid: number): boolean {
  const stat = readStat(`/proc/${pid}/stat`);
  return stat !== undefined && stat.state !== "Z";
}
