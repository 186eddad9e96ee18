import { defineProperty } from "./primordials.ts";

/** Gives a function the name of the global it is: bundling may have changed it. */
export function nameAs(value: unknown, name: string): void {
  if (typeof value === "function" && value.name !== name) {
    defineProperty(value, "name", { value: name, configurable: true });
  }
}

/**
 * Puts a global in place whose value is made when somebody first asks for it: an accessor that
 * turns itself into what a web-standard global is, a writable, configurable data property.
 */
export function defineLazy(
  target: object,
  name: string,
  make: () => unknown,
  enumerable = false,
): void {
  const settleAs = (value: unknown): void => {
    defineProperty(target, name, { value, writable: true, configurable: true, enumerable });
  };
  defineProperty(target, name, {
    get() {
      const value = make();
      nameAs(value, name);
      settleAs(value);
      return value;
    },
    set: settleAs,
    configurable: true,
    enumerable,
  });
}
