const INDEX = "(index)";
const VALUES = "Values";

/** Draws what `console.table` was given: a row for each entry, a column for each field met. */
export function formatTable(
  data: object,
  only: readonly string[] | undefined,
  show: (value: unknown) => string,
): string {
  const columns: string[] = only === undefined ? [] : [...only];
  const rows: { readonly key: string; readonly cells: Map<string, string>; value?: string }[] = [];
  let indexTitle = INDEX;
  if (data instanceof Map || data instanceof Set) indexTitle = "(iteration index)";

  for (const [key, value] of entriesOf(data)) {
    const row: (typeof rows)[number] = { key, cells: new Map() };
    rows.push(row);
    if (typeof value !== "object" || value === null) {
      row.value = show(value);
      continue;
    }
    for (const name of only ?? Object.keys(value)) {
      if (!Object.hasOwn(value, name)) continue;
      if (!columns.includes(name)) columns.push(name);
      row.cells.set(name, show((value as Record<string, unknown>)[name]));
    }
  }

  const hasValues = rows.some((row) => row.value !== undefined);
  const head = [indexTitle, ...columns, ...(hasValues ? [VALUES] : [])];
  const body = rows.map((row) => [
    row.key,
    ...columns.map((name) => row.cells.get(name) ?? ""),
    ...(hasValues ? [row.value ?? ""] : []),
  ]);
  return draw(head, body);
}

function entriesOf(data: object): [key: string, value: unknown][] {
  if (data instanceof Set) return [...data].map((value, i) => [String(i), value]);
  if (data instanceof Map) {
    return [...data].map(([Key, Value], i) => [
      String(i),
      { Key: Key as unknown, Values: Value as unknown },
    ]);
  }
  return Object.entries(data);
}

function draw(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...body.map((cells) => cells[i]?.length ?? 0)),
  );
  const line = (left: string, middle: string, right: string): string =>
    left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right;
  const row = (cells: readonly string[]): string =>
    `│${cells.map((cell, i) => ` ${cell.padEnd(widths[i] ?? 0)} `).join("│")}│`;
  return [
    line("┌", "┬", "┐"),
    row(head),
    line("├", "┼", "┤"),
    ...body.map(row),
    line("└", "┴", "┘"),
  ].join("\n");
}
