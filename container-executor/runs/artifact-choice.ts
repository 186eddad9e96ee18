import picomatch from "picomatch";

import type { InitFileEntry } from "../channel/init-messages.ts";

export interface ArtifactCaps {
  readonly artifactFiles: number;
  /** Of all artifacts together. */
  readonly artifactBytes: number;
}

export interface LeftFile {
  readonly path: string;
  readonly reason: string;
}

export interface ArtifactChoice {
  readonly chosen: readonly InitFileEntry[];
  readonly left: readonly LeftFile[];
}

/** Files that were left are named up to this many. */
export const LEFT_MAX = 100;
/** Longest path that is named: what a tenant's program called a file. Characters. */
const PATH_MAX = 1024;

/**
 * Which of the files that a run left match its globs and fit under its caps, in the order of their
 * paths. Those that match and do not fit are named with why. A dot at a name's beginning is
 * nothing special, and `**` goes into folders of any depth. The program itself, which lies at
 * `codePath`, is nothing that it left.
 */
export function chooseArtifacts(
  listing: { readonly files: readonly InitFileEntry[]; readonly complete: boolean },
  globs: readonly string[],
  caps: ArtifactCaps,
  codePath: string | null,
): ArtifactChoice {
  if (globs.length === 0) return { chosen: [], left: [] };
  // A name may have line ends in it.
  const matches = picomatch([...globs], { dot: true, flags: "s" });
  const chosen: InitFileEntry[] = [];
  const left: LeftFile[] = [];
  const taken = new Set<string>();
  let bytes = 0;
  const leave = (path: string, reason: string): void => {
    if (left.length < LEFT_MAX) left.push({ path: path.slice(0, PATH_MAX), reason });
  };
  if (!listing.complete) leave("", "the work folder has more files than are listed");
  const matching = listing.files
    .filter(({ path }) => path !== codePath && matches(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  for (const file of matching) {
    if (file.path.length > PATH_MAX) leave(file.path, `its path is over ${PATH_MAX} characters`);
    else if (taken.has(file.path)) leave(file.path, "another file's path reads the same");
    else if (file.path.startsWith(".bulkhead/")) leave(file.path, "the folder is the platform's");
    else if (chosen.length >= caps.artifactFiles) {
      leave(file.path, `over the cap of ${caps.artifactFiles} files`);
    } else if (bytes + file.bytes > caps.artifactBytes) {
      leave(file.path, `over the cap of ${caps.artifactBytes} bytes of all artifacts`);
    } else {
      chosen.push(file);
      taken.add(file.path);
      bytes += file.bytes;
    }
  }
  return { chosen, left };
}
