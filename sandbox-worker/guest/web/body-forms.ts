/** A body's bytes, and the media type that goes with them. */
export interface ExtractedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string | null;
}

type BodyForm = (value: object) => ExtractedBody | null;
const forms: BodyForm[] = [];

/** Says how an object of a class becomes a body. A class registers itself when it is first loaded. */
export function registerBodyForm(form: BodyForm): void {
  forms.push(form);
}

/** What `value` is as a body, or null where no loaded class made it. */
export function extractRegistered(value: object): ExtractedBody | null {
  for (const form of forms) {
    const extracted = form(value);
    if (extracted !== null) return extracted;
  }
  return null;
}
