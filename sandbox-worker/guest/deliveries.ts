import { mapGet, mapSet, NativeMap } from "./primordials.ts";

/** Takes one answer of the host: its kind, the id of what was asked, and what the kind carries. */
type Deliver = (kind: string, id: number, a: unknown, b: unknown) => void;
const deliverers = new NativeMap<string, Deliver>();

/** Says who takes the host's answers of a kind. The taker registers itself when it is first loaded. */
export function onDelivery(kinds: readonly string[], deliver: Deliver): void {
  for (let i = 0; i < kinds.length; i++) mapSet(deliverers, kinds[i] as string, deliver);
}

/** Hands an answer to whoever takes its kind. */
export function deliver(kind: string, id: number, a: unknown, b: unknown): void {
  mapGet(deliverers, kind)?.(kind, id, a, b);
}
