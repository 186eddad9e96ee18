type Inspect = (value: unknown, options: object) => string;

/** Makes the console show objects of a class by `fields`, since their state is private. */
export function showAs<Instance extends object>(
  Class: { readonly prototype: Instance; readonly name: string },
  fields: (instance: Instance) => unknown,
): void {
  Object.defineProperty(Class.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value(this: Instance, depth: number, options: object, inspect: Inspect): string {
      if (depth < 0) return `[${Class.name}]`;
      const shown: unknown = fields(this);
      return `${Class.name} ${inspect(shown, { ...options, depth })}`;
    },
    configurable: true,
    writable: true,
  });
}
