import { describe, expect, it } from "vitest";

import { kindOf, SourceError, transformModule } from "../../../sandbox-worker/cage/transform.ts";

describe("transformModule", () => {
  it("leaves plain JavaScript as it was sent", () => {
    const source = "export default  1 ;// as is";
    expect(transformModule("main.js", "javascript", source, true)).toEqual({
      code: source,
      leading: 0,
      map: null,
    });
  });

  it("gives import.meta its url where a module asks for it, and moves no position", () => {
    const source = "#!/usr/bin/env deno\nexport default [import.meta.url, import.meta.main]";
    const { code, leading } = transformModule("lib/a.js", "javascript", source, false);
    expect(code.slice(0, leading)).toContain('"file:///lib/a.js"');
    expect(code.slice(leading)).toBe(source.replace("#!", "//"));
  });

  it("changes nothing of TypeScript but its types", () => {
    const source = 'const once: string = "a";\nconsole.log(once, import.meta.url);';
    const { code, leading } = transformModule("main.ts", "typescript", source, true);
    expect(code.slice(leading)).toBe('const once = "a";\nconsole.log(once, import.meta.url);\n');
  });

  it("makes code of enums, namespaces and parameter properties", () => {
    const source =
      "enum A { B }\nnamespace N { export const c = 1 }\nclass D { constructor(public e: number) {} }";
    const { code, map } = transformModule("main.ts", "typescript", source, true);
    expect(code).not.toMatch(/enum|namespace|public/);
    expect(map?.mappings).not.toBe("");
  });

  it("makes a module of JSON, whatever its keys", () => {
    const { code } = transformModule("d.json", "json", '{"__proto__": 1}', false);
    expect(code).toBe('export default JSON.parse("{\\"__proto__\\": 1}");');
  });

  it.each([
    ["main.ts", "typescript", 'const é = "ü";\nlet a = ;', "file:///main.ts:2:9"],
    ["d.json", "json", "{a}", "file:///d.json:1:1"],
  ] as const)("says where %s is wrong", (path, kind, source, place) => {
    expect(() => transformModule(path, kind, source, true)).toThrow(
      expect.objectContaining({ constructor: SourceError, place }),
    );
  });
});

describe("kindOf", () => {
  it("goes by the extension alone", () => {
    expect(kindOf("a/b.mts")).toBe("typescript");
    expect(kindOf("a/b.tsx")).toBe("tsx");
    expect(kindOf("a.ts/b")).toBeNull();
    expect(kindOf("a.css")).toBeNull();
  });
});
