import type { Apt } from "./apt.ts";
import { findProgram } from "./find-program.ts";
import { lacking, ready, type StepResult } from "./step.ts";

const TOOLS = [
  { program: "bwrap", debianPackage: "bubblewrap" },
  { program: "setpriv", debianPackage: "util-linux" },
  { program: "unshare", debianPackage: "util-linux" },
] as const;

/** Which of the tools that confine a cage have to be installed, given those that were found. */
export function missingCageTools(found: ReadonlySet<string>): readonly string[] {
  return [
    ...new Set(
      TOOLS.filter(({ program }) => !found.has(program)).map((tool) => tool.debianPackage),
    ),
  ];
}

/** Makes sure of the tools that sandbox-worker confines its cages with. */
export async function prepareCages(apt: Apt): Promise<StepResult<null>> {
  if (process.platform !== "linux") {
    return lacking("cages are confined by Linux namespaces, and this is not Linux");
  }
  const missing = missingFromMachine();
  if (missing.length === 0) return ready(null, "bwrap, setpriv and unshare are here");
  const failure = await apt.install(missing);
  if (failure === null && missingFromMachine().length === 0) {
    return ready(null, `installed ${missing.join(" and ")}`);
  }
  return lacking(`install ${missing.join(" and ")} with your package manager (${failure})`);
}

function missingFromMachine(): readonly string[] {
  const programs = TOOLS.map(({ program }) => program);
  return missingCageTools(new Set(programs.filter((program) => findProgram(program) !== null)));
}
