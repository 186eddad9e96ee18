/** Deno's errors that a program here can meet, by the names its own code checks for. */
export class NotCapable extends Error {
  override readonly name = "NotCapable";
}

export class PermissionDenied extends Error {
  override readonly name = "PermissionDenied";
}

export class NotFound extends Error {
  override readonly name = "NotFound";
}

export class NotSupported extends Error {
  override readonly name = "NotSupported";
}
