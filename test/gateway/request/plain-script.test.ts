import { describe, expect, it } from "vitest";

import { readPlainScript } from "../../../gateway/request/plain-script.ts";
import { ScriptRequest } from "../../../protocol/run-request.ts";

const script = { language: "typescript", code: "export default 1" };

describe("readPlainScript()", () => {
  it.each([
    script,
    { ...script, language: "javascript" },
    { ...script, lane: "auto" },
    { ...script, lane: "isolate" },
    { ...script, isolation: "run" },
    { ...script, isolation: "tenant" },
    { ...script, isolation: "warm", lane: "auto" },
    { ...script, isolation: undefined },
  ])("reads %j as the schema does", (fields) => {
    expect(readPlainScript(fields)).toEqual(ScriptRequest.parse(fields));
  });

  it.each([
    {},
    { code: "1" },
    { language: "typescript" },
    { ...script, code: "" },
    { ...script, code: 1 },
    { ...script, language: "python" },
    { ...script, lane: "container" },
    { ...script, lane: null },
    { ...script, isolation: "none" },
    { ...script, isolation: null },
    { ...script, input: 1 },
    { ...script, env: {} },
    { ...script, limits: {} },
    { ...script, modules: {} },
    { ...script, permissions: { net: [] } },
    { ...script, unknown: undefined },
  ])("leaves %j to the schema", (fields) => {
    expect(readPlainScript(fields)).toBeUndefined();
  });
});
