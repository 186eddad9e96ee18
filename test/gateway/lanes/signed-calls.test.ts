import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ExecutorSigner } from "../../../gateway/lanes/executor-signer.ts";
import { SignedCalls } from "../../../gateway/lanes/signed-calls.ts";
import { parseSignature, SIGNATURE_HEADER } from "../../../protocol/signature.ts";
import { playHost, playHosts } from "../../durable-objects/job/support.ts";

const url = "http://signed.test";
const signal = new AbortController().signal;
let boots: (string | undefined)[];
let calls: SignedCalls;

beforeEach(() => {
  playHosts();
  boots = [];
  calls = new SignedCalls(new ExecutorSigner([{ id: "a", secret: "e".repeat(32) }]));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Plays an executor with a boot id of its own at each call. */
function play(...lives: readonly (string | Error)[]): void {
  playHost(url, async ({ headers }) => {
    const boot = parseSignature(headers.get(SIGNATURE_HEADER) ?? "")?.bootId;
    const life = lives[Math.min(boots.length, lives.length - 1)] ?? "";
    boots.push(boot);
    if (life instanceof Error) throw life;
    return new Response(null, {
      status: boot === life ? 204 : 401,
      headers: { "Bulkhead-Boot": life },
    });
  });
}

const send = () => calls.send({ method: "POST", url, target: "/v1/x", signal });
const GONE = new Error("Network connection lost.");

describe("a signed call", () => {
  it("learns the executor's boot id once, and remembers it", async () => {
    play("boot-1");
    expect(await send()).toMatchObject({ kind: "answered" });
    expect(await send()).toMatchObject({ kind: "answered" });
    expect(boots).toEqual(["unknown", "boot-1", "boot-1"]);
  });

  it("signs once more for an executor that restarted, and no more than once", async () => {
    play("boot-1", "boot-1", "boot-2", "boot-2");
    await send();
    expect(await send()).toMatchObject({ kind: "answered" });
    play("a", "b", "c");
    boots = [];
    expect(await send()).toEqual({ kind: "unsigned" });
    expect(boots).toHaveLength(2);
  });

  it("that never reached an executor whose boot is unknown cannot have begun anything", async () => {
    play(GONE);
    expect(await send()).toEqual({ kind: "unreachable", mayHaveArrived: false });
  });

  it("that was well signed may have arrived; the next one cannot, until the boot is known again", async () => {
    play("boot-1", "boot-1", GONE);
    await send();
    expect(await send()).toEqual({ kind: "unreachable", mayHaveArrived: true });
    expect(await send()).toEqual({ kind: "unreachable", mayHaveArrived: false });
  });
});
