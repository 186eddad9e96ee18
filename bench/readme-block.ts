import { headOf, linesOf, type Report } from "./report.ts";

const BEGIN = "<!-- results: written by the bench, --write-readme -->";
const END = "<!-- end of results -->";

/**
 * The README with its block of results replaced by those of a report.
 *
 * @throws {TypeError} Where the README has no such block.
 */
export function withResults(readme: string, report: Report): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from === -1 || to < from) {
    throw new TypeError("Cannot write the results: bench/README.md has no block for them");
  }
  const inDoubt = report.doubts.length > 0;
  const block = [
    BEGIN,
    "",
    ...headOf(report).map((line) => `${line}  `),
    ...report.sections.flatMap((section) => [
      "",
      `### ${section.title}`,
      "",
      "```text",
      ...linesOf(section, inDoubt),
      "```",
    ]),
    "",
  ].join("\n");
  return `${readme.slice(0, from)}${block}\n${readme.slice(to)}`;
}
