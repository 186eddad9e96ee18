import { library } from "../library.ts";
import { ops } from "../ops.ts";
import { withoutRuntimeFrames } from "../result/reduce-error.ts";
import { onBoot } from "../run-state.ts";
import { quickFormat } from "./quick-format.ts";
import { formatTable } from "./table.ts";

/** Spaces that one `console.group` moves its lines by. */
const GROUP_INDENT = 2;

/**
 * Makes the `console` namespace: its methods work detached, each line goes to the cage as one text.
 * To be called once a realm.
 */
export function makeConsole(): object {
  let indent = "";
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();

  onBoot(() => {
    indent = "";
    counts.clear();
    timers.clear();
  });

  function format(args: readonly unknown[]): string {
    return quickFormat(args) ?? library().inspect().formatLine(args);
  }

  function write(level: string, text: string): void {
    ops.log(level, indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`));
  }

  function elapsed(label: string): string | null {
    const start = timers.get(label);
    if (start === undefined) {
      write("warn", `Timer '${label}' does not exist`);
      return null;
    }
    const ms = ops.clock() - start;
    return ms < 1_000 ? `${Number(ms.toFixed(3))}ms` : `${(ms / 1_000).toFixed(3)}s`;
  }

  const methods = {
    log: (...args: unknown[]): void => write("log", format(args)),
    info: (...args: unknown[]): void => write("info", format(args)),
    debug: (...args: unknown[]): void => write("debug", format(args)),
    warn: (...args: unknown[]): void => write("warn", format(args)),
    error: (...args: unknown[]): void => write("error", format(args)),
    trace: (...args: unknown[]): void => {
      const holder: { stack?: string } = {};
      Error.captureStackTrace(holder);
      const frames = withoutRuntimeFrames(String(holder.stack));
      const title = args.length === 0 ? "Trace" : `Trace: ${format(args)}`;
      write(
        "trace",
        title + frames.slice(frames.indexOf("\n") === -1 ? frames.length : frames.indexOf("\n")),
      );
    },
    assert: (condition?: unknown, ...args: unknown[]): void => {
      if (condition) return;
      const [first, ...rest] = args;
      if (args.length === 0) write("error", "Assertion failed");
      else if (typeof first === "string")
        write("error", format([`Assertion failed: ${first}`, ...rest]));
      else write("error", format(["Assertion failed:", ...args]));
    },
    count: (label: unknown = "default"): void => {
      const name = String(label);
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      write("log", `${name}: ${count}`);
    },
    countReset: (label: unknown = "default"): void => {
      if (!counts.delete(String(label)))
        write("warn", `Count for '${String(label)}' does not exist`);
    },
    dir: (value?: unknown, options?: object): void =>
      write(
        "log",
        library()
          .inspect()
          .inspect(value, { customInspect: false, ...options, colors: false }),
      ),
    dirxml: (...args: unknown[]): void => write("log", format(args)),
    group: (...args: unknown[]): void => {
      if (args.length > 0) write("log", format(args));
      indent += " ".repeat(GROUP_INDENT);
    },
    groupCollapsed: (...args: unknown[]): void => methods.group(...args),
    groupEnd: (): void => {
      indent = indent.slice(GROUP_INDENT);
    },
    table: (data?: unknown, columns?: readonly string[]): void => {
      if (typeof data !== "object" || data === null) return write("log", format([data]));
      const show = (value: unknown): string =>
        library().inspect().inspect(value, { depth: 0, maxArrayLength: 3, breakLength: Infinity });
      write("log", formatTable(data, columns, show));
    },
    time: (label: unknown = "default"): void => {
      const name = String(label);
      if (timers.has(name)) write("warn", `Timer '${name}' already exists`);
      else timers.set(name, ops.clock());
    },
    timeLog: (label: unknown = "default", ...args: unknown[]): void => {
      const passed = elapsed(String(label));
      if (passed !== null) write("log", format([`${String(label)}: ${passed}`, ...args]));
    },
    timeEnd: (label: unknown = "default"): void => {
      const passed = elapsed(String(label));
      if (passed !== null) write("log", `${String(label)}: ${passed}`);
      timers.delete(String(label));
    },
    clear: (): void => {},
    timeStamp: (): void => {},
    profile: (): void => {},
    profileEnd: (): void => {},
  };

  return Object.create(
    {},
    {
      ...Object.getOwnPropertyDescriptors(methods),
      [Symbol.toStringTag]: { value: "console", configurable: true },
    },
  ) as object;
}
