import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness, type GuestOptions, type HostFetch } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

const HEAD = {
  status: 200,
  statusText: "OK",
  url: "https://api.example/final",
  redirected: true,
  headers: [
    ["content-type", "application/json"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ],
};

/** A host that grants every host, and answers by a script. */
const host = (onFetch: (fetch: HostFetch) => void, more: GuestOptions = {}): GuestOptions => ({
  boot: { net: ["*"] },
  onFetch,
  ...more,
});

const answer =
  (...chunks: readonly (string | Uint8Array)[]) =>
  (fetch: HostFetch): void => {
    fetch.answer("fetchHead", HEAD);
    for (const chunk of chunks) fetch.answer("fetchChunk", chunk);
    fetch.answer("fetchEnd");
  };

describe("fetch", () => {
  test("sends a request to the host as it is", async () => {
    const seen: HostFetch[] = [];
    const body = `
      const form = new URLSearchParams({ a: "ü" });
      return (await fetch(new Request("https://API.example/x?y#z", { method: "post", headers: { "X-A": "1" }, body: form, redirect: "manual" }))).status;`;
    const options = host((fetch) => {
      seen.push(fetch);
      answer()(fetch);
    });
    expect(await guest.returned(body, options)).toBe(200);
    expect(seen).toMatchObject([
      {
        head: {
          method: "POST",
          url: "https://api.example/x?y#z",
          redirect: "manual",
          headers: [
            ["content-type", "application/x-www-form-urlencoded;charset=UTF-8"],
            ["x-a", "1"],
          ],
        },
        body: "a=%C3%BC",
      },
    ]);
  });

  test.each([
    [`"ä"`, "Ã¤"],
    [`new Uint8Array([0, 255])`, "\0ÿ"],
    [`new Blob(["b"])`, "b"],
    [`new Response("s").body`, "s"],
  ])("sends %s as bytes", async (given, sent) => {
    const seen: (string | null)[] = [];
    const options = host((fetch) => {
      seen.push(fetch.body);
      answer()(fetch);
    });
    await guest.returned(
      `await fetch("https://a.example", { method: "PUT", body: ${given}, duplex: "half" });`,
      options,
    );
    expect(seen).toEqual([sent]);
  });

  test("gives the response as it came", async () => {
    const body = `
      const response = await fetch("https://api.example/");
      let frozen; try { response.headers.set("a", "b"); } catch (error) { frozen = error.name; }
      return [response.ok, response.status, response.statusText, response.url, response.redirected, response.type, response.headers.getSetCookie(), frozen, await response.json(), response.bodyUsed];`;
    expect(await guest.returned(body, host(answer('{"a":', '"ä"}')))).toEqual([
      true,
      200,
      "OK",
      HEAD.url,
      true,
      "basic",
      ["a=1", "b=2"],
      "TypeError",
      { a: "ä" },
      true,
    ]);
  });

  test.each([
    ["text", "response.text()", "one two"],
    ["bytes", "response.bytes()", new TextEncoder().encode("one two")],
    ["arrayBuffer", "response.arrayBuffer()", new TextEncoder().encode("one two").buffer],
    ["blob", "(await response.blob()).text()", "one two"],
    ["a clone", "Promise.all([response.clone().text(), response.text()])", ["one two", "one two"]],
    [
      "a stream",
      "Array.fromAsync(response.body, (chunk) => new TextDecoder().decode(chunk))",
      ["one ", "two"],
    ],
    [
      "a stream through a decoder",
      "Array.fromAsync(response.body.pipeThrough(new TextDecoderStream()))",
      ["one ", "two"],
    ],
  ])("reads a body as %s", async (_what, expression, value) => {
    const body = `const response = await fetch("https://a.example"); return await ${expression};`;
    expect(await guest.returned(body, host(answer("one ", "two")))).toEqual(value);
  });

  test("gives chunks as they come, before the body is whole", async () => {
    let latest: HostFetch | undefined;
    const body = `
      const reader = (await fetch("https://a.example")).body.getReader();
      const read = async () => { const { done, value } = await reader.read(); return done ? "end" : new TextDecoder().decode(value); };
      const first = await read();
      await fetch("https://a.example/next");
      return [first, await read(), await read()];`;
    const options = host((fetch) => {
      if (latest !== undefined) {
        fetch.answer("fetchHead", HEAD);
        fetch.answer("fetchEnd");
        latest.answer("fetchChunk", "second");
        latest.answer("fetchEnd");
        return;
      }
      latest = fetch;
      fetch.answer("fetchHead", HEAD);
      fetch.answer("fetchChunk", "first");
    });
    expect(await guest.returned(body, options)).toEqual(["first", "second", "end"]);
  });

  test("reads a body once", async () => {
    const body = `const response = await fetch("https://a.example"); await response.text(); return await response.text().catch((error) => error.name);`;
    expect(await guest.returned(body, host(answer("x")))).toBe("TypeError");
  });

  test.each([
    ["denied", "NotCapable"],
    ["network", "TypeError"],
    ["timeout", "TimeoutError"],
    ["too_large", "TypeError"],
    ["too_many", "TypeError"],
  ])("rejects with the host's failure %s as %s, before and amid the body", async (kind, name) => {
    const body = `
      const said = (error) => [error.name, error.message];
      const early = await fetch("https://a.example/early").catch(said);
      const response = await fetch("https://a.example/late");
      return [early, await response.text().catch(said)];`;
    const options = host((fetch) => {
      if (fetch.head.url.endsWith("late")) {
        fetch.answer("fetchHead", HEAD);
        fetch.answer("fetchChunk", "part");
      }
      fetch.answer("fetchFailure", kind, "because");
    });
    expect(await guest.returned(body, options)).toEqual([
      [name, "because"],
      [name, "because"],
    ]);
  });

  test("is refused here where the host was not granted, and says how to grant it", async () => {
    const body = `return await fetch("https://api.example:8443/x").catch((error) => [error instanceof Deno.errors.NotCapable, error.name, error.message]);`;
    const asked: HostFetch[] = [];
    const options = {
      boot: { net: ["other.example", "api.example:443"] },
      onFetch: (fetch: HostFetch) => void asked.push(fetch),
    };
    expect(await guest.returned(body, options)).toEqual([
      true,
      "NotCapable",
      'Requires net access to "api.example:8443": add "api.example" to permissions.net of the run',
    ]);
    expect(asked).toEqual([]);
  });

  test.each([["api.example"], ["api.example:443"], ["*.example"], ["*"]])(
    "is let through by %s",
    async (granted) => {
      const options = host(answer("x"), { boot: { net: [granted] } });
      expect(
        await guest.returned(`return (await fetch("https://api.example")).status;`, options),
      ).toBe(200);
    },
  );

  test.each([
    ["ftp://a.example", "TypeError"],
    ["data:,x", "TypeError"],
    ["/relative", "TypeError"],
    ["https://user:pass@a.example", "TypeError"],
  ])("rejects %s", async (url, name) => {
    expect(
      await guest.returned(
        `return await fetch("${url}").catch((error) => error.name);`,
        host(answer()),
      ),
    ).toBe(name);
  });

  test.each([
    [`{ method: "M".repeat(64) }`, `{ method: "M".repeat(65) }`],
    [
      `{ headers: Array.from({ length: 1000 }, (_, i) => ["k" + i, "v"]) }`,
      `{ headers: Array.from({ length: 1001 }, (_, i) => ["k" + i, "v"]) }`,
    ],
    [`{}, "a".repeat(65_536 - 18)`, `{}, "a".repeat(65_537 - 18)`],
  ])("sends %s, and not %s", async (sent, refused) => {
    const body = `
      const get = (init, path = "") => fetch("https://a.example/" + path, init).then((response) => response.status, (error) => error.name);
      return [await get(${sent}), await get(${refused})];`;
    expect(await guest.returned(body, host(answer()))).toEqual([200, "TypeError"]);
  });

  test("is aborted before it starts, while it waits, and amid the body", async () => {
    const cancelled: number[] = [];
    const body = `
      const said = (error) => error.name ?? error;
      const never = await fetch("https://a.example/never", { signal: AbortSignal.abort("mine") }).catch(said);
      const controller = new AbortController();
      const waiting = fetch("https://a.example/waits", { signal: controller.signal }).catch(said);
      setTimeout(() => controller.abort(), 5);
      const other = new AbortController();
      const response = await fetch("https://a.example/body", { signal: other.signal });
      const reading = response.text().catch(said);
      other.abort(new RangeError("enough"));
      return [never, await waiting, await reading, await fetch("https://a.example/waits", { signal: AbortSignal.timeout(5) }).catch(said)];`;
    const options = host(
      (fetch) => {
        if (fetch.head.url.endsWith("body")) fetch.answer("fetchHead", HEAD);
      },
      { onCancel: (id) => void cancelled.push(id) },
    );
    expect(await guest.returned(body, options)).toEqual([
      "mine",
      "AbortError",
      "RangeError",
      "TimeoutError",
    ]);
    expect(cancelled.length).toBe(3);
  });

  test("tells the host when a body is not wanted any more", async () => {
    const cancelled: number[] = [];
    const options = host((fetch) => fetch.answer("fetchHead", HEAD), {
      onCancel: (id) => void cancelled.push(id),
    });
    await guest.returned(
      `const response = await fetch("https://a.example"); await response.body.cancel();`,
      options,
    );
    expect(cancelled.length).toBe(1);
  });

  test.each([
    ["status", { ...HEAD, status: 999 }],
    ["header", { ...HEAD, headers: [["a b", "1"]] }],
  ])("fails, and nothing else does, where a server answers a malformed %s", async (_what, head) => {
    const body = `
      try { await fetch("https://api.example/"); } catch (error) { return [error.name, error.message]; }`;
    const options = host((fetch) => fetch.answer("fetchHead", head));
    expect(await guest.returned(body, options)).toEqual([
      "TypeError",
      "Cannot fetch: the server's answer is malformed",
    ]);
  });

  test("says so where the host takes no more", async () => {
    expect(
      await guest.returned(
        `return await fetch("https://a.example").catch((error) => [error.name, error.message]);`,
        {
          boot: { net: ["*"] },
        },
      ),
    ).toEqual([
      "TypeError",
      "Cannot fetch: too much is pending in this run, or it has used its fetches",
    ]);
  });

  test("keeps a script alive until its answer is there", async () => {
    const { lines } = await guest.run(
      `fetch("https://a.example").then(async (response) => console.log(await response.text()));`,
      host(answer("body")),
    );
    expect(lines.map(({ text }) => text)).toEqual(["body"]);
  });
});

describe("Request and Response", () => {
  test.each([
    [`new Request("https://a.example", { method: "get" }).method`, "GET"],
    [`new Request("https://a.example", { method: "patch" }).method`, "patch"],
    [
      `new Request(new Request("https://a.example", { method: "POST", body: "b" }), { headers: { a: "1" } }).text()`,
      "b",
    ],
    [`new Request("https://a.example", { method: "POST", body: "b" }).clone().text()`, "b"],
    [
      `new Request("https://a.example", { method: "POST", body: new Blob(["x"], { type: "a/b" }) }).headers.get("content-type")`,
      "a/b",
    ],
    [`Response.json({ a: 1 }).headers.get("content-type")`, "application/json"],
    [
      `Response.redirect("https://a.example/x", 307).headers.get("location")`,
      "https://a.example/x",
    ],
    [`Response.error().type`, "error"],
    [`new Response(null, { status: 204 }).body`, null],
    [
      `new Response("a=1&b=%20", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData().then((form) => [...form])`,
      [
        ["a", "1"],
        ["b", " "],
      ],
    ],
    [`new Response("\\ufeffbom").text()`, "bom"],
    [
      `new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("s")); c.close(); } })).text()`,
      "s",
    ],
  ])("%s", async (expression, value) => {
    expect(await guest.returned(`return await ${expression};`)).toEqual(value);
  });

  test.each([
    [`new Request("https://a.example", { body: "x" })`],
    [`new Request("https://a.example", { method: "CONNECT" })`],
    [`new Request("https://a.example", { method: "a b" })`],
    [`new Request()`],
    [`new Response("x", { status: 204 })`],
    [`new Response("x", { status: 99 })`],
    [`new Response("x", { statusText: "a\\nb" })`],
    [`new Headers({ "a b": "c" })`],
    [`new Headers({ a: "b\\nc" })`],
    [`new Headers([["a"]])`],
    [`new FormData().append("a", "b", "c")`],
    [`Response.json(undefined)`],
  ])("%s is refused", async (expression) => {
    expect(
      await guest.returned(
        `try { ${expression}; return "made"; } catch (error) { return error.name; }`,
      ),
    ).toMatch(/^(TypeError|RangeError)$/);
  });

  test("a form comes back from its multipart form", async () => {
    const body = `
      const form = new FormData();
      form.append('na"me', "line\\nbreak"); form.append("ä", ""); form.append("file", new File([new Uint8Array([13, 10, 45, 45, 0, 255])], "f.bin", { type: "a/b" }));
      form.append("file", new Blob(["x"]), "second.txt");
      const back = await new Response(form).formData();
      const file = back.get("file");
      return [[...back.keys()], back.get('na"me'), file.name, file.type, await file.bytes(), back.getAll("file")[1].name];`;
    expect(await guest.returned(body)).toEqual([
      ['na"me', "ä", "file", "file"],
      "line\r\nbreak",
      "f.bin",
      "a/b",
      new Uint8Array([13, 10, 45, 45, 0, 255]),
      "second.txt",
    ]);
  });

  test("headers are kept by name, joined, sorted, and cookies apart", async () => {
    const body = `
      const headers = new Headers({ B: "2", a: " 1 " }); headers.append("b", "3"); headers.append("Set-Cookie", "x=1"); headers.append("set-cookie", "y=2");
      const all = [...headers]; headers.set("B", "4"); headers.delete("A");
      return [all, headers.get("b"), headers.has("a"), headers.getSetCookie(), headers.get("set-cookie")];`;
    expect(await guest.returned(body)).toEqual([
      [
        ["a", "1"],
        ["b", "2, 3"],
        ["set-cookie", "x=1"],
        ["set-cookie", "y=2"],
      ],
      "4",
      false,
      ["x=1", "y=2"],
      "x=1, y=2",
    ]);
  });
});
