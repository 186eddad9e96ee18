import { describe, expect, test } from "vitest";

import { ADDRESSES_MAX, resolveTarget } from "../../egress/resolve.ts";
import type { Resolve } from "../../egress/resolve.ts";
import type { Target } from "../../protocol/url-policy.ts";

const target = (hostname: string, exempt = false): Target => ({
  url: new URL(`http://${hostname}/`),
  hostname,
  port: 80,
  exempt,
});
const never = new AbortController().signal;
const answering =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses);

describe("a name's addresses", () => {
  test("are all given when all are public", async () => {
    const addresses = ["93.184.216.34", "2606:4700::1"];
    await expect(
      resolveTarget(target("a.example"), never, answering(...addresses)),
    ).resolves.toEqual(addresses);
  });

  test.each([
    [["10.0.0.1"]],
    [["93.184.216.34", "10.0.0.1"]],
    [["10.0.0.1", "93.184.216.34"]],
    [["93.184.216.34", "::1"]],
    [["2606:4700::1", "::ffff:127.0.0.1"]],
    [["93.184.216.34", "not an address"]],
  ])("refuse the name when any is not public: %j", async (addresses) => {
    await expect(
      resolveTarget(target("a.example"), never, answering(...addresses)),
    ).rejects.toMatchObject({ kind: "denied" });
  });

  test("are named by range in the refusal, never themselves", async () => {
    await expect(resolveTarget(target("a.example"), never, answering("10.1.2.3"))).rejects.toThrow(
      'Cannot fetch: "a.example" resolves to 10.0.0.0/8 (private)',
    );
  });

  test("are not looked at for an exempt host, whose local name is asked for", async () => {
    const asked: boolean[] = [];
    const resolve: Resolve = (_hostname, { localNames }) => {
      asked.push(localNames);
      return Promise.resolve(["127.0.0.1"]);
    };
    await expect(resolveTarget(target("redis", true), never, resolve)).resolves.toEqual([
      "127.0.0.1",
    ]);
    expect(asked).toEqual([true]);
  });

  test("are capped in number", async () => {
    const many = (count: number) => answering(...Array.from({ length: count }, () => "1.1.1.1"));
    const addresses = await resolveTarget(target("a.example"), never, many(ADDRESSES_MAX));
    expect(addresses).toHaveLength(ADDRESSES_MAX);
    await expect(
      resolveTarget(target("a.example"), never, many(ADDRESSES_MAX + 1)),
    ).rejects.toMatchObject({ kind: "denied" });
  });
});

test("a literal is checked without asking anyone", async () => {
  const resolve: Resolve = () => expect.unreachable("asked");
  await expect(resolveTarget(target("1.1.1.1"), never, resolve)).resolves.toEqual(["1.1.1.1"]);
  await expect(resolveTarget(target("[2606:4700::1]"), never, resolve)).resolves.toEqual([
    "2606:4700::1",
  ]);
  await expect(resolveTarget(target("[::1]"), never, resolve)).rejects.toThrow(
    "Cannot fetch: the address is in ::1/128 (loopback)",
  );
});

test("the system's resolver knows local names only when they are asked for", async () => {
  await expect(resolveTarget(target("localhost", true), never)).resolves.toContain("127.0.0.1");
});

describe("a name that does not resolve", () => {
  test("is a network failure", async () => {
    const resolve: Resolve = () => Promise.reject(new Error("ENOTFOUND"));
    await expect(resolveTarget(target("a.example"), never, resolve)).rejects.toMatchObject({
      kind: "network",
      message: 'Cannot fetch: "a.example" does not resolve',
    });
    await expect(resolveTarget(target("a.example"), never, answering())).rejects.toMatchObject({
      kind: "network",
    });
  });

  test("is a time-out when its server is silent, even if the resolver heeds no signal", async () => {
    const resolve: Resolve = () => new Promise(() => {});
    await expect(resolveTarget(target("a.example"), never, resolve, 5)).rejects.toMatchObject({
      kind: "timeout",
      message: 'Cannot fetch: "a.example" did not resolve in 5 ms',
    });
  });

  test("ends with its caller", async () => {
    const gone = new Error("gone");
    const resolve: Resolve = () => new Promise(() => {});
    await expect(resolveTarget(target("a.example"), AbortSignal.abort(gone), resolve)).rejects.toBe(
      gone,
    );
  });
});
