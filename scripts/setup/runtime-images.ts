import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import {
  imageReference,
  LABEL_CONTENT,
  LABEL_VERSION,
  RUNTIME_IMAGES,
  type RuntimeImage,
} from "../../container-executor/runtimes/runtimes.ts";
import type { Apt } from "./apt.ts";
import { BASE_IMAGE } from "./base-image.ts";
import { askDocker, type DockerEndpoint } from "./docker-api.ts";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import { lacking, ready, type Say, type StepResult } from "./step.ts";
import { tar, tarFile, type TarFile } from "./tar.ts";

const EXECUTOR = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "container-executor",
);

const INSPECT_SILENCE_MS = 10_000;
/** A step of a build may unpack hundreds of packages without a word. */
const BUILD_SILENCE_MS = 600_000;
const COMPILE_TIMEOUT_MS = 120_000;

/** How the init is made: small, of one piece, and without a warning. */
const COMPILER_FLAGS = ["-Os", "-static", "-s", "-Wall", "-Wextra", "-Werror"];

/** Raised where images change by something that no hashed file shows. */
const RECIPE = 1;

/** The versions of the images' languages: the Debian suite's own, and the node that runs this. */
const VERSION_OF: Readonly<Record<RuntimeImage, string>> = {
  bash: "5.2",
  python: "3.11",
  node: process.versions.node,
};

/**
 * Makes sure that the engine has every runtime image, built from this very tree. Each carries a hash
 * of what it was made of, so that looking is all that an unchanged one takes.
 */
export async function prepareRuntimeImages(
  apt: Apt,
  engine: DockerEndpoint,
  local: string,
  say: Say,
): Promise<StepResult<readonly string[]>> {
  if (process.platform !== "linux") {
    return lacking(
      "runtime images are built on Linux: their init and their node are this machine's",
    );
  }
  const base = await inspect(engine, BASE_IMAGE);
  if (base === null) return lacking(`the engine has no ${BASE_IMAGE} to build runtime images from`);
  const stale: Stale[] = [];
  for (const image of RUNTIME_IMAGES) {
    const content = contentHash(image, base.id);
    const present = await inspect(engine, imageReference(image));
    if (present?.labels[LABEL_CONTENT] !== content) {
      stale.push({ image, content });
    }
  }
  const references = RUNTIME_IMAGES.map(imageReference);
  if (stale.length === 0) return ready(references, `${references.join(", ")} are here`);

  const init = await compileInit(apt, join(local, "build"), say);
  if (!init.ready) return init;
  for (const outdated of stale) {
    const { image } = outdated;
    say(`  building ${imageReference(image)}`);
    const failure = await build(engine, outdated, init.value);
    if (failure !== null) return lacking(`build ${imageReference(image)}: ${failure}`);
  }
  await removeReplaced(engine);
  return ready(references, `built ${stale.map(({ image }) => imageReference(image)).join(", ")}`);
}

/** Of everything that an image is made of. */
function contentHash(image: RuntimeImage, baseId: string): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([RECIPE, baseId, COMPILER_FLAGS, process.versions.node, process.arch]),
  );
  for (const folder of [join(EXECUTOR, "init"), join(EXECUTOR, "runtimes", image)]) {
    for (const name of readdirSync(folder).toSorted()) {
      const bytes = readFileSync(join(folder, name));
      hash.update(JSON.stringify([name, bytes.length])).update(bytes);
    }
  }
  return hash.digest("hex");
}

/** Compiles the init of every container; gives the path of the program. */
async function compileInit(apt: Apt, folder: string, say: Say): Promise<StepResult<string>> {
  if (findProgram("gcc") === null) {
    const failure = await apt.install(["gcc", "libc6-dev"]);
    if (failure !== null) return lacking(`no C compiler for the containers' init: ${failure}`);
  }
  say("  compiling the containers' init");
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "init");
  const sources = readdirSync(join(EXECUTOR, "init")).filter((name) => name.endsWith(".c"));
  const { code, tail } = await runCommand(
    "gcc",
    [...COMPILER_FLAGS, "-o", program, ...sources.map((name) => join(EXECUTOR, "init", name))],
    { timeoutMs: COMPILE_TIMEOUT_MS },
  );
  return code === 0 ? ready(program, program) : lacking(`compile the containers' init: ${tail}`);
}

/** An image to build, and the hash of what it will be made of. */
interface Stale {
  readonly image: RuntimeImage;
  readonly content: string;
}

async function build(
  engine: DockerEndpoint,
  { image, content }: Stale,
  init: string,
): Promise<string | null> {
  const query = new URLSearchParams({
    t: imageReference(image),
    labels: JSON.stringify({ [LABEL_CONTENT]: content, [LABEL_VERSION]: VERSION_OF[image] }),
    // The project's own engine has no default bridge; packages come by the machine's network.
    networkmode: "host",
    rm: "1",
    forcerm: "1",
    buildargs: JSON.stringify(proxySettings(process.env)),
  });
  try {
    const { status, text } = await askDocker(engine, {
      method: "POST",
      path: `/build?${query.toString()}`,
      silenceMs: BUILD_SILENCE_MS,
      body: tar(buildContext(image, init)),
    });
    const failure = buildFailure(text);
    if (failure !== null) return failure;
    if (status !== 200) return `the engine answered ${status}: ${text.slice(-300)}`;
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Removes the images that newer ones replaced; the engine keeps one that a container still uses. */
async function removeReplaced(engine: DockerEndpoint): Promise<void> {
  const filters = JSON.stringify({ dangling: ["true"], label: [LABEL_CONTENT] });
  const path = `/images/json?${new URLSearchParams({ filters }).toString()}`;
  const listed = await askDocker(engine, { method: "GET", path, silenceMs: INSPECT_SILENCE_MS });
  for (const id of imageIds(listed.text)) {
    await askDocker(engine, {
      method: "DELETE",
      path: `/images/${encodeURIComponent(id)}`,
      silenceMs: INSPECT_SILENCE_MS,
    });
  }
}

/** The ids in an engine's list of images. */
export function imageIds(text: string): readonly string[] {
  return Object.values(parseMessage(text)).flatMap((image: unknown) =>
    typeof image === "object" && image !== null && "Id" in image ? [String(image.Id)] : [],
  );
}

/** The files that an image's Dockerfile copies, and itself. */
function buildContext(image: RuntimeImage, init: string): readonly TarFile[] {
  const folder = join(EXECUTOR, "runtimes", image);
  const own = readdirSync(folder).map((name) =>
    tarFile(name, 0o644, readFileSync(join(folder, name))),
  );
  const programs = [programFile("init", init)];
  if (image === "node") programs.push(programFile("node", process.execPath));
  return [...own, ...programs];
}

function programFile(name: string, path: string): TarFile {
  return { name, mode: 0o755, size: statSync(path).size, open: () => createReadStream(path) };
}

/** The proxies that this machine reaches package archives by, for the build's own steps. */
export function proxySettings(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}

/** What a build's messages say went wrong, with the last words of the step that did; null where nothing. */
export function buildFailure(text: string): string | null {
  const said: string[] = [];
  for (const line of text.split("\n")) {
    const message = parseMessage(line);
    if (typeof message["error"] === "string")
      return [...said.slice(-3), message["error"]].join(" ");
    if (typeof message["stream"] === "string" && message["stream"].trim() !== "") {
      said.push(message["stream"].trim());
    }
  }
  return null;
}

function parseMessage(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

async function inspect(
  engine: DockerEndpoint,
  reference: string,
): Promise<{ readonly id: string; readonly labels: Readonly<Record<string, unknown>> } | null> {
  const path = `/images/${encodeURIComponent(reference)}/json`;
  const answer = await askDocker(engine, { method: "GET", path, silenceMs: INSPECT_SILENCE_MS });
  if (answer.status !== 200) return null;
  const image = parseMessage(answer.text);
  const config = image["Config"];
  const labels = typeof config === "object" && config !== null ? { ...config } : {};
  const own = "Labels" in labels && typeof labels.Labels === "object" ? { ...labels.Labels } : {};
  return { id: String(image["Id"]), labels: own };
}
