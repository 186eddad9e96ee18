/**
 * Why something asked of the outside did not come. `denied`: not granted, or not a public address;
 * nothing was sent. `too_large`: a cap on bytes was passed.
 */
export type EgressFailureKind = "denied" | "network" | "timeout" | "too_large";

/** An expected failure of egress, thrown where a value cannot be returned. Its message is for the guest. */
export class EgressError extends Error {
  override readonly name = "EgressError";
  readonly kind: EgressFailureKind;

  constructor(kind: EgressFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
