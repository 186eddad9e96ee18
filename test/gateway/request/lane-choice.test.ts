import { describe, expect, it } from "vitest";

import { routeRequest } from "../../../gateway/request/lane-choice.ts";

const script = { language: "typescript", code: "export default 1" };

describe("routeRequest()", () => {
  it.each([
    [script, "isolate", "JavaScript and TypeScript within the isolate's limits"],
    [
      { ...script, lane: "auto" },
      "isolate",
      "JavaScript and TypeScript within the isolate's limits",
    ],
    [{ ...script, lane: "isolate" }, "isolate", "the request asks for the isolate lane"],
    [{ ...script, lane: "container" }, "container", "the request asks for the container lane"],
    [{ language: "python", code: "1" }, "container", "python runs in containers"],
    [{ language: "bash", code: "ls" }, "container", "bash runs in containers"],
    [{ language: "node", code: "1" }, "container", "node runs in containers"],
    [{ ...script, files: [] }, "container", "the request has files"],
    [{ ...script, stdin: "" }, "container", "the request has stdin"],
    [{ image: "debian", code: "ls" }, "container", "the request has image"],
    [{ action: "screenshot", url: "https://example.com" }, "browser", "the request has an action"],
    [
      { lane: "browser", action: "pdf", html: "<p>" },
      "browser",
      "the request asks for the browser lane",
    ],
  ])("%j goes to the %s lane: %s", (fields, lane, reason) => {
    const routed = routeRequest(fields);
    expect(routed).toMatchObject({ ok: true, value: { lane, route: { lane, reason } } });
  });

  it.each([
    [{ ...script, secret: 1 }, "secret", "is not a known field"],
    [{ ...script, limits: { wallMS: 1 } }, "limits.wallMS", "is not a known field"],
    [{ ...script, limits: { wallMs: "5" } }, "limits.wallMs", "must be a number"],
    [{ ...script, limits: { wallMs: 1.5 } }, "limits.wallMs", "must be a whole number"],
    [{ ...script, limits: { wallMs: -1 } }, "limits.wallMs", "must be more than 0"],
    [{ language: "typescript" }, "code", "is missing"],
    [{ code: "1" }, "language", 'must be one of "javascript", "typescript"'],
    [{ language: "cobol", code: "1" }, "language", 'must be one of "javascript", "typescript"'],
    [{ ...script, code: "" }, "code", "must have at least 1 characters"],
    [{ ...script, modules: { "../up.ts": "" } }, "modules.../up.ts", /must be a relative path/],
    [{ ...script, env: { "A-B": "" } }, "env.A-B", /must be a name of letters/],
    [{ ...script, permissions: { net: ["http://x"] } }, "permissions.net.0", /must be a host/],
    [{ ...script, lane: "gpu" }, "lane", /must be one of "auto"/],
    [{ ...script, lane: "browser" }, "action", /must be one of "screenshot"/],
  ])("%j is refused for its %s", (fields, path, message) => {
    const routed = routeRequest(fields);
    if (routed.ok || routed.failure.code !== "malformed_request") throw new Error("was read");
    const issue = routed.failure.issues.find((one) => one.path === path);
    expect(issue?.message).toMatch(message);
  });

  it("names every bad path at once, and not more than fit an answer", () => {
    const fields = { ...script, a: 1, limits: { wallMs: "x", b: 1 }, env: { C: 1 } };
    const routed = routeRequest(fields);
    if (routed.ok || routed.failure.code !== "malformed_request") throw new Error("was read");
    expect(routed.failure.issues.map(({ path }) => path).toSorted()).toEqual([
      "a",
      "env.C",
      "limits.b",
      "limits.wallMs",
    ]);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 1]));
    const refused = routeRequest({ ...script, ...many });
    if (refused.ok || refused.failure.code !== "malformed_request") throw new Error("was read");
    expect(refused.failure.issues).toHaveLength(50);
  });

  it.each([[null], [1], ["text"], [[]]])("refuses a body that is no object: %j", (fields) => {
    expect(routeRequest(fields)).toMatchObject({
      failure: { issues: [{ path: "", message: "must be a JSON object" }] },
    });
  });
});
