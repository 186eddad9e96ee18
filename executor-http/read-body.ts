import type { IncomingMessage } from "node:http";

export type Body =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  /** The sender went away, or broke off. */
  | { readonly kind: "broken" };

/**
 * Reads a request's body, and keeps no more of it than `maxBytes`. What follows is let go by, so
 * that its sender hears the answer; the server's own time limit ends that.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Body> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) return { kind: "too-large" };
  const chunks: Buffer[] = [];
  let length = 0;
  return await new Promise((resolve) => {
    request.on("data", (chunk: Buffer) => {
      length += chunk.byteLength;
      if (length <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      resolve({ kind: "too-large" });
    });
    request.once("end", () => {
      resolve({ kind: "whole", bytes: Buffer.concat(chunks, length) });
    });
    for (const event of ["error", "close"]) {
      request.once(event, () => {
        resolve({ kind: "broken" });
      });
    }
  });
}
