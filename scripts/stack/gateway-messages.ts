/** What the stack tells the process that hosts the gateway. */
export interface GatewayOrder {
  /** Plain data: Miniflare's options but for what is a function. */
  readonly miniflareOptions: unknown;
}

/** Says that the gateway takes requests, and in which process; sent again after each restart of it. */
export interface GatewayReport {
  readonly runtimePid: number | null;
}
