import { describe, expect, it } from "vitest";

import { TICKET_MS, TicketOffice } from "../../../gateway/identity/tickets.ts";

const secret = (id: string, char: string) => ({ id, secret: char.repeat(32) });
const NOW = 1_000_000;
const principal = { tenant: "acme", keyId: "abcdefghijklmnopq", scopes: null };
const PATH = "/v1/jobs/x/events";

describe("TicketOffice", () => {
  const office = new TicketOffice([secret("a", "k")]);

  it("reads what it issued, for a minute", async () => {
    const { text, expiresAt } = await office.issue(principal, PATH, NOW);
    expect(expiresAt).toBe(NOW + TICKET_MS);
    expect(await office.read(text, expiresAt - 1)).toMatchObject({ principal, path: PATH });
    expect(await office.read(text, expiresAt)).toBeUndefined();
  });

  it("keeps a token's own scopes", async () => {
    const token = { tenant: "acme", keyId: null, scopes: ["read"] as const };
    const { text } = await office.issue(token, PATH, NOW);
    expect((await office.read(text, NOW))?.principal).toEqual(token);
  });

  it("issues no two alike", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => office.issue(principal, PATH, NOW)));
    expect((await office.read(one?.text ?? "", NOW))?.id).not.toBe(
      (await office.read(two?.text ?? "", NOW))?.id,
    );
  });

  it("takes those of an older secret, none of a secret that it does not know", async () => {
    const { text } = await office.issue(principal, PATH, NOW);
    const rotated = new TicketOffice([secret("b", "n"), secret("a", "k")]);
    expect(await rotated.read(text, NOW)).toMatchObject({ path: PATH });
    expect(await new TicketOffice([secret("b", "n")]).read(text, NOW)).toBeUndefined();
    expect(await new TicketOffice([secret("a", "x")]).read(text, NOW)).toBeUndefined();
  });

  it("takes nothing that was changed", async () => {
    const { text } = await office.issue(principal, PATH, NOW);
    for (let at = 0; at < text.length; at += 7) {
      const other = text[at] === "x" ? "y" : "x";
      expect(
        await office.read(text.slice(0, at) + other + text.slice(at + 1), NOW),
      ).toBeUndefined();
    }
  });

  it.each(["", "bt", "bt.a..", "bt.a.e30.e30", "bh_a_b_c", "x".repeat(10_000)])(
    "takes no %.20s",
    async (text) => {
      expect(await office.read(text, NOW)).toBeUndefined();
    },
  );
});
