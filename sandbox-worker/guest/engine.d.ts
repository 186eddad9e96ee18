/** What V8 gives beyond the language's own library. */
interface ErrorConstructor {
  captureStackTrace(target: object, below?: (...args: never[]) => unknown): void;
  stackTraceLimit: number;
  isError(value: unknown): value is Error;
}

/** esbuild's own: runs a module of the bundle at the first call, and never before. */
declare function require(path: string): unknown;
