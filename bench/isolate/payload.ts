import { contest, type Result } from "../contest.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Suite } from "../suite.ts";
import { echo } from "../work.ts";

const SECONDS = 2;
const SMALL_BYTES = 1024;
const LARGE_BYTES = 64 * 1024;

/** 64 KiB of JSON in and out: the host passes its text on, only the guest parses it. */
export const payload: Suite = {
  name: "payload",
  title: "64 KiB of JSON in and out, one caller",
  async run({ root, rounds, scale, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    const load = { kind: "closed", callers: 1, seconds: SECONDS * scale } as const;
    const of = async (label: string, bytes: number) =>
      entrant(
        await sandbox.client({
          name: `Bulkhead, isolation tenant, echo of ${label}`,
          isolation: "tenant",
          tenants: 1,
          work: echo(bytes),
        }),
        load,
      );
    const results = await contest(
      [await of("64 KiB", LARGE_BYTES), await of("1 KiB", SMALL_BYTES)],
      {
        rounds,
        leadInSeconds: scale,
        signal,
      },
    );
    const [large, small] = results;
    return {
      results,
      findings: large === undefined || small === undefined ? [] : added(large, small),
      notes: ["Every answer is the input's exact text, compared byte for byte."],
    };
  },
};

function added(large: Result, small: Result): Finding[] {
  const more = large.rounds.map(({ p50 }, round) => p50 - (small.rounds[round]?.p50 ?? 0));
  const run = large.rounds.map(
    ({ spans }, round) => (spans["runMs"] ?? 0) - (small.rounds[round]?.spans["runMs"] ?? 0),
  );
  return [
    { what: "p50 added by 64 KiB each way", unit: "ms", value: spreadOf(more), goal: null },
    {
      what: "of which in the cage, where the guest parses and writes it",
      unit: "ms",
      value: spreadOf(run),
      goal: null,
    },
  ];
}
