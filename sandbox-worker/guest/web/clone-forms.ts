/** How an object of a runtime's class is cloned: as this copy, only by transfer, or not at all. */
export type CloneForm = { readonly copy: object } | "transferable" | "refused";

const forms: ((value: object) => CloneForm | null)[] = [];

/** Says how a class is cloned. A class registers itself when it is first loaded. */
export function registerCloneForm(form: (value: object) => CloneForm | null): void {
  forms.push(form);
}

/** How `value` is cloned, or null where no loaded class of the runtime made it. */
export function registeredClone(value: object): CloneForm | null {
  for (const form of forms) {
    const found = form(value);
    if (found !== null) return found;
  }
  return null;
}
