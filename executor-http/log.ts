/** Writes one event of a service. */
export type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Writes a service's events as lines of JSON on standard output. Nothing a tenant wrote goes in them. */
export function logOf(service: string): Log {
  return (event, fields = {}) => {
    const line = { at: new Date().toISOString(), service, event, ...fields };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
}
