import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { FetchHead, FetchStart } from "../../../sandbox-worker/cage-protocol.ts";
import { Down, Up, type Frame } from "../../../sandbox-worker/frames.ts";
import { CageFixture, outcomeOf, valueOf, type CageProcess } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

const value = async (...args: Parameters<CageFixture["run"]>): Promise<unknown> =>
  valueOf(await fixture.run(...args));

/** Waits for the next frame of a kind. */
async function frameOf(cage: CageProcess, kind: number): Promise<Frame> {
  for (;;) {
    const frame = await cage.frame();
    if (frame === null) throw new Error(`Died before frame ${kind}`);
    if (frame.kind === kind) return frame;
    if (frame.kind === Up.end) throw new Error(`Ended: ${frame.payload.toString()}`);
  }
}

async function fetchStarted(cage: CageProcess): Promise<{ start: FetchStart; body: string }> {
  const { payload } = await frameOf(cage, Up.fetchStart);
  const newline = payload.indexOf(0x0a);
  return {
    start: JSON.parse(payload.toString("utf8", 0, newline)) as FetchStart,
    body: payload.toString("utf8", newline + 1),
  };
}

function wireId(id: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(id);
  return bytes;
}

function answer(cage: CageProcess, fetchId: number, text: string): void {
  const head: FetchHead = {
    fetchId,
    status: 201,
    statusText: "Created",
    url: "https://example.com/",
    redirected: false,
    headers: [["x-mine", "1"]],
  };
  cage.send(Down.fetchHead, JSON.stringify(head));
  cage.send(Down.fetchChunk, Buffer.concat([wireId(fetchId), Buffer.from(text)]));
  cage.send(Down.fetchEnd, wireId(fetchId));
}

const net = ["example.com"];

describe("a fetch", () => {
  it("goes up as a frame, and its answer comes down", async () => {
    const cage = await fixture.cage();
    cage.start(
      `const response = await fetch("https://example.com/", { method: "POST", body: "hällo", headers: { a: "b" } });
       export default [response.status, response.headers.get("x-mine"), await response.text()];`,
      { net },
    );
    const { start, body } = await fetchStarted(cage);
    expect(start).toMatchObject({ method: "POST", url: "https://example.com/", hasBody: true });
    expect(start.headers).toContainEqual(["a", "b"]);
    expect(body).toBe("hällo");
    answer(cage, start.fetchId, "the answer");
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(valueOf(ended.end)).toEqual([201, "1", "the answer"]);
  });

  it("that fails rejects", async () => {
    const cage = await fixture.cage();
    cage.start(`export default () => fetch("https://example.com/").catch((error) => error.name);`, {
      net,
    });
    const { start } = await fetchStarted(cage);
    const failure = { fetchId: start.fetchId, kind: "network", message: "Cannot connect" };
    cage.send(Down.fetchFailure, JSON.stringify(failure));
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(valueOf(ended.end)).toBe("TypeError");
  });

  it("over the cap of fetches is refused in the cage", async () => {
    const code = `const one = () => fetch("https://example.com/").then(() => "ok", () => "refused");
      export default () => Promise.race([one(), one()]);`;
    const cage = await fixture.cage();
    cage.start(code, { net, caps: { fetches: 1 } });
    await fetchStarted(cage);
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(valueOf(ended.end)).toBe("refused");
  });

  it("over the cap of bytes fails", async () => {
    const cage = await fixture.cage();
    cage.start(
      `export default async () => {
         const response = await fetch("https://example.com/");
         return response.text().catch((error) => error.name);
       };`,
      { net, caps: { fetchBytes: 5 } },
    );
    const { start } = await fetchStarted(cage);
    answer(cage, start.fetchId, "sixsix");
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(valueOf(ended.end)).toBe("TypeError");
  });

  it("left under way is cancelled with the run, and its late answer reaches nobody", async () => {
    const cage = await fixture.cage();
    cage.start(`void fetch("https://example.com/"); export default 1;`, { net, isolation: "warm" });
    const { start } = await fetchStarted(cage);
    expect((await frameOf(cage, Up.fetchCancel)).payload).toEqual(wireId(start.fetchId));
    await frameOf(cage, Up.end).catch((ended: unknown) => ended);
    await cage.ready();

    cage.start(`export default () => fetch("https://example.com/").then((r) => r.text());`, {
      net,
    });
    const next = await fetchStarted(cage);
    expect(next.start.fetchId).not.toBe(start.fetchId);
    answer(cage, start.fetchId, "late, for the first");
    answer(cage, next.start.fetchId, "for the second");
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(valueOf(ended.end)).toBe("for the second");
  });
});

describe("crypto", () => {
  it("is WebCrypto's", async () => {
    const code = `const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
      const data = new TextEncoder().encode("abc");
      const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign", "verify"]);
      const mac = await crypto.subtle.sign("HMAC", key, data);
      export default [hex(await crypto.subtle.digest("SHA-1", data)), await crypto.subtle.verify("HMAC", key, mac, data)];`;
    expect(await value(code)).toEqual(["a9993e364706816aba3e25717850c26c9cd0d89d", true]);
  });

  it("makes key pairs, encrypts and exports", async () => {
    const code = `const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
      const data = new Uint8Array([1, 2, 3]);
      const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, data);
      const aes = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt", "decrypt"]);
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const secret = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aes, data);
      const back = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, secret));
      export default [await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, publicKey, signature, data), [...back], (await crypto.subtle.exportKey("jwk", publicKey)).crv];`;
    expect(await value(code)).toEqual([true, [1, 2, 3], "P-256"]);
  });

  it.each([
    [
      "too many iterations",
      `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      await crypto.subtle.deriveBits({ name: "PBKDF2", salt: new Uint8Array(8), iterations: 1_000_001, hash: "SHA-256" }, key, 256);`,
    ],
    [
      "too large a key",
      `await crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 8192, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign"]);`,
    ],
    ["an unknown algorithm", `await crypto.subtle.digest("MD4", new Uint8Array(1));`],
  ])("refuses %s", async (_what, code) => {
    const { outcome, error } = await fixture.run(code);
    expect(outcome).toBe("failed");
    expect(error?.name).toMatch(/OperationError|NotSupportedError/);
  });

  it("under way at a run's end makes the cage unfit for another", async () => {
    const code = `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      void crypto.subtle.deriveBits({ name: "PBKDF2", salt: new Uint8Array(8), iterations: 1_000_000, hash: "SHA-256" }, key, 256);
      export default 1;`;
    const ended = await fixture.runToAnyEnd(code);
    expect(ended).toMatchObject({ how: "result", end: { outcome: "ok", reusable: false } });
  });
});

describe("other host work", () => {
  it("parses URLs, decodes old encodings, and is random", async () => {
    const code = `const url = new URL("../x?a=1#b", "https://üser@exämple.com:8080/a/b");
      url.pathname = "/changed path";
      export default [url.href, URL.canParse("nonsense"), new TextDecoder("shift_jis").decode(new Uint8Array([0x82, 0xa0])), crypto.randomUUID() !== crypto.randomUUID()];`;
    expect(await value(code)).toEqual([
      "https://%C3%BCser@xn--exmple-cua.com:8080/changed%20path?a=1#b",
      false,
      "あ",
      true,
    ]);
  });

  it("fires timers in the order they come due, and none that was cleared", async () => {
    const code = `const order = [];
      setTimeout(() => order.push("b"), 10);
      setTimeout(() => order.push("a"), 1);
      clearTimeout(setTimeout(() => order.push("never"), 5));
      await new Promise((done) => setTimeout(done, 30));
      export default order;`;
    expect(await value(code)).toEqual(["a", "b"]);
  });
});

describe("the supervisor", () => {
  it("can cancel a run that waits", async () => {
    const cage = await fixture.cage();
    cage.start("await new Promise((done) => setTimeout(done, 60_000));");
    await frameOf(cage, Up.started);
    cage.send(Down.cancel);
    const ended = await cage.ended();
    await cage.ready();
    expect(outcomeOf(ended)).toBe("cancelled");
    expect(await value("export default 'next'")).toBe("next");
  });

  it("changes nothing by cancelling when nothing runs", async () => {
    const cage = await fixture.cage();
    cage.send(Down.cancel);
    expect(await value("export default 1")).toBe(1);
  });

  it("ends the cage by closing its input", async () => {
    const cage = await fixture.cage();
    cage.endInput();
    expect(await cage.frame()).toBeNull();
    expect(await value("export default 1")).toBe(1);
  });
});
