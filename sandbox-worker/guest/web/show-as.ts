type Inspect = (value: unknown, options: object) => string;

/**
 * Makes the console show objects of a class by `fields`, since their state is private, and gives
 * the class its name: bundling may have changed it.
 */
export function showAs<Instance extends object>(
  Class: { readonly prototype: Instance },
  name: string,
  fields: (instance: Instance) => unknown,
): void {
  Object.defineProperty(Class, "name", { value: name, configurable: true });
  Object.defineProperty(Class.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value(this: Instance, depth: number, options: object, inspect: Inspect): string {
      if (depth < 0) return `[${name}]`;
      const shown: unknown = fields(this);
      return `${name} ${inspect(shown, { ...options, depth })}`;
    },
    configurable: true,
    writable: true,
  });
}
