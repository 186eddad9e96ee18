import type { SpecFile } from "../../durable-objects/job-contract.ts";
import { ENTRY_PATHS } from "../../protocol/container-api.ts";
import type { Issue } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { ContainerRequest } from "../../protocol/run-request.ts";

type RequestFile = NonNullable<ContainerRequest["files"]>[number];

/** Readable by all, written by the job's own user. */
const MODE_DEFAULT = 0o644;

/** Longest name of one file or folder; bytes. Linux takes no more. */
const NAME_BYTES_MAX = 255;

/** Bulkhead's own folder in the work folder. */
const OWN_FOLDER = ".bulkhead";

/** Files of a container run as its job keeps them; modules lie beside the code as files do. */
export function planFiles(
  { language, files = [], modules = {} }: ContainerRequest,
  maxBytes: number,
): Result<readonly SpecFile[]> {
  const entry = language === undefined ? undefined : ENTRY_PATHS[language];
  const all: readonly { readonly at: string; readonly file: RequestFile }[] = [
    ...Object.entries(modules).map(([path, content]) => {
      return { at: `modules.${path}`, file: { path, content } };
    }),
    ...files.map((file, index) => ({ at: `files.${index}`, file })),
  ];
  const issue = findIssue(all, entry);
  if (issue !== undefined) return fail({ code: "malformed_request", issues: [issue] });
  let left = maxBytes;
  const planned: SpecFile[] = [];
  for (const { file } of all) {
    const spec = specFile(file);
    if ("base64" in spec) left -= decodedBytes(spec.base64);
    if (left < 0) return fail({ code: "payload_too_large", what: "files", limitBytes: maxBytes });
    planned.push(spec);
  }
  return ok(planned);
}

function findIssue(
  all: readonly { readonly at: string; readonly file: RequestFile }[],
  entry: string | undefined,
): Issue | undefined {
  const paths = new Set<string>();
  const folders = new Set<string>();
  for (const { at, file } of all) {
    const { path } = file;
    const where = at.startsWith("files.") ? `${at}.path` : at;
    const parts = path.split("/");
    if (parts[0] === OWN_FOLDER) {
      return { path: where, message: `must not lie in ${OWN_FOLDER}, which is Bulkhead's own` };
    }
    if (path === entry) {
      return { path: where, message: "is the entry's own path, whose source is code" };
    }
    if (parts.some((part) => encoder.encode(part).byteLength > NAME_BYTES_MAX)) {
      return { path: where, message: `must have names of at most ${NAME_BYTES_MAX} bytes` };
    }
    if (paths.has(path)) return { path: where, message: "must occur once" };
    paths.add(path);
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join("/"));
    const sources = [file.content, file.base64, file.artifact].filter((one) => one !== undefined);
    if (sources.length !== 1) {
      return { path: at, message: "must have exactly one of content, base64 and artifact" };
    }
  }
  const both = all.find(({ file }) => folders.has(file.path));
  if (both === undefined) return undefined;
  return { path: both.at, message: "is a file and the folder of another" };
}

function specFile({ path, content, base64, artifact, mode }: RequestFile): SpecFile {
  const bits = mode === undefined ? null : Number.parseInt(mode, 8);
  if (artifact !== undefined) return { path, mode: bits, artifact };
  return { path, mode: bits ?? MODE_DEFAULT, base64: base64 ?? base64Of(content ?? "") };
}

const decodedBytes = (base64: string): number =>
  (base64.length / 4) * 3 - (base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0);

const encoder = new TextEncoder();

/** As many bytes as a call may have arguments, with much to spare. */
const PIECE_BYTES = 8_192;

/** Base64 of a text's UTF-8. */
function base64Of(text: string): string {
  const bytes = encoder.encode(text);
  let binary = "";
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(at, at + PIECE_BYTES));
  }
  return btoa(binary);
}
