/** Writes one event as a line of JSON on standard output. Nothing a tenant wrote goes in it. */
export function log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const line = { at: new Date().toISOString(), service: "egress-proxy", event, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
