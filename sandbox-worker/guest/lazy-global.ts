import { defineProperty } from "./primordials.ts";

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
      settleAs(value);
      return value;
    },
    set: settleAs,
    configurable: true,
    enumerable,
  });
}
