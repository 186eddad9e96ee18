import { z } from "zod";

const RunAnswer = z.object({ outcome: z.string(), value: z.unknown(), stdout: z.string() });

type RunAnswer = z.infer<typeof RunAnswer>;

const TIMEOUT_MS = 30_000;

/** The run that proves the isolate lane, and that a newcomer is shown. */
const FIRST_RUN = {
  language: "typescript",
  code: "export default ({a,b}: {a:number,b:number}) => a + b",
  input: { a: 1, b: 2 },
};

/** The run that proves the container lane: a process of its own, in a container made for it. */
const CONTAINER_RUN = { language: "bash", code: "echo $((1 + 2))" };

type Lane = "isolate" | "container";

const PROOFS: Readonly<
  Record<Lane, { readonly body: object; readonly holds: (answer: RunAnswer) => boolean }>
> = {
  isolate: { body: FIRST_RUN, holds: ({ value }) => value === 3 },
  container: { body: CONTAINER_RUN, holds: ({ stdout }) => stdout === "3\n" },
};

/** Runs real code through the whole stack. Returns what is wrong, or null. */
export async function proveLane(lane: Lane, gateway: string, key: string): Promise<string | null> {
  const { body, holds } = PROOFS[lane];
  try {
    const response = await fetch(new URL("/v1/run", gateway), {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = await response.text();
    if (response.status !== 200) return `${response.status} ${answer.slice(0, 500)}`;
    const result = RunAnswer.parse(JSON.parse(answer));
    return result.outcome === "ok" && holds(result) ? null : `1 + 2 gave ${answer.slice(0, 500)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The same run as a line for a shell. */
export function curlLine(gateway: string, key: string): string {
  return (
    `curl -sS ${gateway}/v1/run -H 'authorization: Bearer ${key}' ` +
    `-H 'content-type: application/json' -d '${JSON.stringify(FIRST_RUN)}'`
  );
}
