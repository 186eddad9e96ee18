import { URL_PARTS, type HostOps } from "../../guest/host-ops.ts";

type UrlPart = (typeof URL_PARTS)[number];
type SettablePart = Exclude<UrlPart, "origin">;

const isSettable = (part: string): part is SettablePart =>
  part !== "origin" && URL_PARTS.some((known) => known === part);

const partsOf = (url: URL): string => JSON.stringify(URL_PARTS.map((part) => url[part]));

/** URLs by Node's own parser, which is the standard's. */
export const urlOps: Pick<HostOps, "urlParse" | "urlSet"> = {
  urlParse(href, base) {
    const url = URL.parse(href, base === "" ? undefined : base);
    return url === null ? null : partsOf(url);
  },
  urlSet(href, part, value) {
    const url = URL.parse(href);
    if (url === null || !isSettable(part)) return null;
    url[part] = value;
    return partsOf(url);
  },
};
