import { File } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { toLatin1 } from "./idl.ts";
import { decodeUtf8 } from "./utf-8.ts";

/**
 * Reads a `multipart/form-data` body.
 *
 * @throws {TypeError} Where it is not one with this boundary.
 */
export function parseMultipart(bytes: Uint8Array, boundary: string): FormData {
  const form = new FormData();
  // One character a byte, so that text searches find byte positions.
  const text = toLatin1(bytes);
  const mark = `--${boundary}`;
  let at = text.startsWith(mark) ? mark.length : afterMark(text, `\r\n${mark}`, 0);
  while (!text.startsWith("--", at)) {
    const headStart = text.indexOf("\r\n", at);
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headStart === -1 || headEnd === -1) throw malformed();
    const next = text.indexOf(`\r\n${mark}`, headEnd + 2);
    if (next === -1) throw malformed();
    const head = decodeUtf8(bytes.subarray(headStart + 2, headEnd));
    addPart(form, head, bytes.subarray(Math.min(headEnd + 4, next), next));
    at = next + 2 + mark.length;
  }
  return form;
}

function afterMark(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  if (at === -1) throw malformed();
  return at + mark.length;
}

function addPart(form: FormData, head: string, content: Uint8Array<ArrayBufferLike>): void {
  const headers = new Map(
    head.split("\r\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const disposition = headers.get("content-disposition") ?? "";
  const name = parameter(disposition, "name");
  if (!/^form-data\s*;/i.test(disposition) || name === null) throw malformed();
  const fileName = parameter(disposition, "filename");
  if (fileName === null) {
    form.append(name, decodeUtf8(content));
    return;
  }
  const type = headers.get("content-type") ?? "text/plain";
  form.append(name, new File([content], fileName, { type }));
}

function parameter(disposition: string, name: string): string | null {
  const found = new RegExp(`;\\s*${name}="([^"]*)"`, "i").exec(disposition)?.[1];
  return found?.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%22", '"') ?? null;
}

const malformed = (): TypeError =>
  new TypeError("Cannot read the body as form data: it is malformed");
