import { defineProperty } from "./primordials.ts";

/** Gives a function the name of the global it is: bundling may have changed it. */
export function nameAs(value: unknown, name: string): void {
  if (typeof value === "function" && value.name !== name) {
    defineProperty(value, "name", { value: name, configurable: true });
  }
}

function settle(target: object, name: string, value: unknown, enumerable: boolean): void {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable });
}

/**
 * Puts a property in place whose value is made when somebody first asks for it: an accessor that
 * turns itself into what a web-standard global is, a writable, configurable data property. `make`
 * is called with the property's name and `detail`, so that one function serves many.
 */
export function defineLazy<Detail>(
  target: object,
  name: string,
  make: (name: string, detail: Detail) => unknown,
  detail: Detail,
  enumerable = false,
): void {
  defineProperty(target, name, {
    get() {
      const value = make(name, detail);
      nameAs(value, name);
      settle(target, name, value, enumerable);
      return value;
    },
    set(value: unknown) {
      settle(target, name, value, enumerable);
    },
    configurable: true,
    enumerable,
  });
}
