import ivm from "isolated-vm";

import type { Primitive } from "../guest/host-ops.ts";
import type { FetchDelivery } from "./ops/fetches.ts";
import type { EntryArgument } from "./realm.ts";
import { textOfThrown } from "./run-error.ts";

/** How the guest is told of a fetch. A chunk's bytes are handed over, not copied once more. */
export function fetchArguments(delivery: FetchDelivery): readonly EntryArgument[] {
  const { kind, id } = delivery;
  switch (kind) {
    case "fetchHead":
      return [kind, id, JSON.stringify(delivery.head)];
    case "fetchChunk": {
      const { buffer } = new Uint8Array(delivery.chunk);
      const copy = new ivm.ExternalCopy(buffer, { transferOut: true });
      return [kind, id, copy.copyInto({ release: true, transferIn: true })];
    }
    case "fetchEnd":
      return [kind, id];
    case "fetchFailure":
      return [kind, id, delivery.failure.kind, delivery.failure.message];
  }
}

/** How the guest is told of a rejection that nobody took, of which isolated-vm threw a copy. */
export function rejectionArguments(thrown: unknown): readonly EntryArgument[] {
  return thrown instanceof Error
    ? ["rejected", JSON.stringify(textOfThrown(thrown)), null]
    : ["rejected", null, asPrimitive(thrown)];
}

/** What is no error is a primitive; a big integer crosses as its digits. */
function asPrimitive(thrown: unknown): Primitive {
  if (typeof thrown === "bigint") return String(thrown);
  if (typeof thrown === "string" || typeof thrown === "number") return thrown;
  return typeof thrown === "boolean" || thrown === null ? thrown : undefined;
}
