/** What stands for an object of the runtime's own classes in a result; null where it is of another. */
export type ResultForm = (value: object) => { readonly value: unknown } | null;
/** As `ResultForm`, for a run's whole result, which may still have to be read. */
export type AsyncResultForm = (value: unknown) => Promise<unknown> | null;

const forms: ResultForm[] = [];
const asyncForms: AsyncResultForm[] = [];

/**
 * Says how a class of the runtime is written into a result. A class registers itself when it is
 * first loaded, so that the encoder loads none.
 */
export function registerResultForm(form: ResultForm): void {
  forms[forms.length] = form;
}

/** Says how a whole result of a class is read before it is written. */
export function registerAsyncForm(form: AsyncResultForm): void {
  asyncForms[asyncForms.length] = form;
}

/** The form of `value`, or null where no class of the runtime made it. */
export function resultFormOf(value: object): { readonly value: unknown } | null {
  for (let i = 0; i < forms.length; i++) {
    const found = forms[i]?.(value);
    if (found) return found;
  }
  return null;
}

/** What a whole result will have been when read, or null where it is its own value already. */
export function readAsyncForm(value: unknown): Promise<unknown> | null {
  for (let i = 0; i < asyncForms.length; i++) {
    const found = asyncForms[i]?.(value);
    if (found) return found;
  }
  return null;
}
