/** How soon to come back where an executor does not say; milliseconds. */
export const RETRY_AFTER_MS = 1_000;

/** How soon an executor that refuses says to come back; milliseconds. */
export function retryAfterOf(response: Response): number {
  const seconds = response.headers.get("Retry-After") ?? "";
  return /^[0-9]{1,5}$/.test(seconds) ? Math.max(Number(seconds) * 1_000, 1) : RETRY_AFTER_MS;
}
