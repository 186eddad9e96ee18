import { headOf, linesOf, type Report } from "./report.ts";

/**
 * The README with a lane's block of results replaced by those of a report; the other lanes' stay.
 *
 * @throws {TypeError} Where the README has no block for the lane.
 */
export function withResults(readme: string, lane: string, report: Report): string {
  const begin = `<!-- results of ${lane}: written by the bench, --write-readme -->`;
  const from = readme.indexOf(begin);
  const to = readme.indexOf(`<!-- end of results of ${lane} -->`);
  if (from === -1 || to < from) {
    throw new TypeError(`Cannot write the results: bench/README.md has no block for "${lane}"`);
  }
  const inDoubt = report.doubts.length > 0;
  const block = [
    begin,
    "",
    ...headOf(report).map((line) => `${line}  `),
    ...report.sections.flatMap((section) => [
      "",
      `#### ${section.title}`,
      "",
      "```text",
      ...linesOf(section, inDoubt),
      "```",
    ]),
    "",
  ].join("\n");
  return `${readme.slice(0, from)}${block}\n${readme.slice(to)}`;
}
