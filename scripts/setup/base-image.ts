import { spawn } from "node:child_process";

import type { Apt } from "./apt.ts";
import { askDocker, type DockerEndpoint } from "./docker-api.ts";
import { findProgram } from "./find-program.ts";
import { lastLines, runCommand } from "./run-command.ts";
import { lacking, ready, type Say, type StepResult } from "./step.ts";

/** What every runtime image is built from. */
export const BASE_IMAGE = "debian:bookworm-slim";

const SUITE = "bookworm";
const INSPECT_SILENCE_MS = 10_000;
/** A registry that is not reached fails at once or never: a pull that works says something sooner. */
const PULL_SILENCE_MS = 15_000;
const IMPORT_SILENCE_MS = 300_000;

/** What the slim image leaves out of every package. */
const LEFT_OUT = ["man", "doc", "info", "locale", "lintian", "groff", "linda"];

/** Makes sure that the engine has the base image: pulled where that works, else made on the spot. */
export async function prepareBaseImage(
  apt: Apt,
  engine: DockerEndpoint,
  say: Say,
): Promise<StepResult<null>> {
  if (await isPresent(engine)) return ready(null, `${BASE_IMAGE} is here`);
  const pullFailure = await pull(engine);
  if (pullFailure === null) return ready(null, `pulled ${BASE_IMAGE}`);

  const makeFailure = await make(apt, engine, say);
  if (makeFailure === null && (await isPresent(engine))) return ready(null, `made ${BASE_IMAGE}`);
  return lacking(
    `load the image ${BASE_IMAGE} into the engine (pulling failed: ${pullFailure}; ` +
      `making it failed: ${makeFailure ?? "the engine did not keep it"})`,
  );
}

async function isPresent(engine: DockerEndpoint): Promise<boolean> {
  const path = `/images/${encodeURIComponent(BASE_IMAGE)}/json`;
  const { status } = await askDocker(engine, {
    method: "GET",
    path,
    silenceMs: INSPECT_SILENCE_MS,
  });
  return status === 200;
}

async function pull(engine: DockerEndpoint): Promise<string | null> {
  return create(engine, { fromImage: "debian", tag: `${SUITE}-slim` });
}

async function make(apt: Apt, engine: DockerEndpoint, say: Say): Promise<string | null> {
  if (findProgram("mmdebstrap") === null) {
    const failure = await apt.install(["mmdebstrap"]);
    if (failure !== null) return failure;
  }
  const program = findProgram("mmdebstrap");
  if (program === null) return "apt installed mmdebstrap, and it is not there";
  const targets = await runCommand(
    "apt-get",
    [
      "indextargets",
      "--format",
      "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)",
      "Created-By: Packages",
    ],
    { timeoutMs: INSPECT_SILENCE_MS },
  );
  say(`  making ${BASE_IMAGE} with mmdebstrap (half a minute or so)`);
  const bootstrap = spawn(program, [
    "--quiet",
    "--variant=minbase",
    ...LEFT_OUT.map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
    SUITE,
    "-",
    ...debianSources(targets.stdout),
  ]);
  let said = "";
  bootstrap.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => {
    bootstrap.once("error", () => resolve(null));
    bootstrap.once("close", resolve);
  });
  const failure = await create(
    engine,
    { fromSrc: "-", repo: "debian", tag: `${SUITE}-slim`, changes: 'CMD ["bash"]' },
    bootstrap.stdout,
  );
  return (await ended) === 0 ? failure : `mmdebstrap: ${lastLines(said, 3)}`;
}

/**
 * The sources to make the image from: the machine's own Debian archive, which is the one that can be
 * reached, or none when it has no such suite, and then mmdebstrap takes the public one.
 *
 * @param targets Lines of `origin|uri|codename|component` as apt lists them.
 */
export function debianSources(targets: string): readonly string[] {
  const sources = targets
    .split("\n")
    .map((line) => line.split("|"))
    .filter(([origin, , codename]) => {
      return origin === "Debian" && codename !== undefined && codename.split("-")[0] === SUITE;
    })
    .map(([, uri, codename, component]) => `deb ${uri} ${codename} ${component}`);
  return [...new Set(sources)];
}

/** Creates an image in the engine; the answer is a stream of messages, and a failure is one of them. */
async function create(
  engine: DockerEndpoint,
  query: Readonly<Record<string, string>>,
  body?: NonNullable<ReturnType<typeof spawn>["stdout"]>,
): Promise<string | null> {
  try {
    const { status, text } = await askDocker(engine, {
      method: "POST",
      path: `/images/create?${new URLSearchParams(query).toString()}`,
      silenceMs: body === undefined ? PULL_SILENCE_MS : IMPORT_SILENCE_MS,
      ...(body === undefined ? {} : { body }),
    });
    const failure = /"(?:error|message)":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    if (failure !== undefined) return failure;
    return status === 200 ? null : `the engine answered ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
