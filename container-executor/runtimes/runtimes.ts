import { ENTRY_PATHS } from "../../protocol/container-api.ts";
import type { ContainerRuntime } from "../../protocol/container-api.ts";

/** The images that the set-up builds from the folders beside this file. */
export const RUNTIME_IMAGES = ["bash", "python", "node"] as const;
export type RuntimeImage = (typeof RUNTIME_IMAGES)[number];

/** The reference by which the engine knows a runtime image. */
export const imageReference = (image: RuntimeImage): string => `bulkhead/${image}:latest`;

/** On every runtime image: a hash of all that it was built from, and the version of its language. */
export const LABEL_CONTENT = "bulkhead.content";
export const LABEL_VERSION = "bulkhead.version";

/** Where the input of a JavaScript or TypeScript job is laid; its runner takes it away. */
export const INPUT_PATH = ".bulkhead/input.json";

/** How a runtime runs a program. */
export interface Runtime {
  readonly image: RuntimeImage;
  /** Where the program's source is laid, relative to the work folder. */
  readonly codePath: string;
  /** What it needs in a job's environment beside `BASE_ENV`; a job's own entries win. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it hands a value over by its value pipe. */
  readonly hasValue: boolean;
  /** What it is started with; `hasInput` where a file lies at `INPUT_PATH`. */
  readonly argv: (args: readonly string[], hasInput: boolean) => readonly string[];
  /** How much of `argv` is the interpreter and its flags: what already waits in its containers. */
  readonly interpreterArgs: number;
}

/** Said by node of what this project chose for the tenant, who can do nothing about it. */
const QUIET = [
  "--disable-warning=ExperimentalWarning",
  "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
];

const module = (codePath: string, flags: readonly string[]): Runtime => ({
  image: "node",
  codePath,
  env: {},
  hasValue: true,
  argv: (args, hasInput) => [
    "node",
    ...QUIET,
    ...flags,
    "/bulkhead/run.mjs",
    `/job/${codePath}`,
    hasInput ? `/job/${INPUT_PATH}` : "-",
    ...args,
  ],
  interpreterArgs: 1 + QUIET.length + flags.length,
});

const program = (
  image: RuntimeImage,
  codePath: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Runtime => ({
  image,
  codePath,
  env,
  hasValue: false,
  argv: (args) => [...command, codePath, ...args],
  interpreterArgs: command.length,
});

export const RUNTIMES: Readonly<Record<ContainerRuntime, Runtime>> = {
  bash: program("bash", ENTRY_PATHS.bash, ["bash"]),
  python: program("python", ENTRY_PATHS.python, ["python3", "-u"], {
    // Where charts' fonts are found again.
    MPLCONFIGDIR: "/tmp/matplotlib",
  }),
  node: program("node", ENTRY_PATHS.node, ["node", ...QUIET]),
  javascript: module(ENTRY_PATHS.javascript, []),
  typescript: module(ENTRY_PATHS.typescript, ["--experimental-transform-types"]),
};

/** What every job's environment begins with; a job's own entries win. */
export const BASE_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/job",
  LANG: "C.UTF-8",
  TMPDIR: "/tmp",
};

/** Variables that an interpreter, or the C library under it, reads only as it begins. */
const READ_AT_START = /^(?:BASH|GLIBC_|LANG|LC_|LD_|MALLOC_|NODE_|POSIXLY_|PYTHON|TZ|UV_)/;

/**
 * From where in `argv` a job can be handed to the interpreter that waits in a container of its
 * runtime; null where the job's own environment asks for one that begins with it.
 */
export function warmFrom(runtime: Runtime, env: Readonly<Record<string, string>>): number | null {
  const needsNew = Object.entries(env).some(
    ([name, value]) => READ_AT_START.test(name) && value !== BASE_ENV[name],
  );
  return needsNew ? null : runtime.interpreterArgs;
}
