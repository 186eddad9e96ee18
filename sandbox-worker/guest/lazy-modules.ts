/**
 * The parts that most runs never touch. Each is in the bundle as a function that has not run:
 * the first call runs it, later ones answer what it made.
 */
export const loadAbort = () => require("./web/abort.ts") as typeof import("./web/abort.ts");
export const loadConsole = () =>
  require("./console/console.ts") as typeof import("./console/console.ts");
export const loadDomException = () =>
  require("./web/dom-exception.ts") as typeof import("./web/dom-exception.ts");
export const loadInspect = () =>
  require("./console/inspect.ts") as typeof import("./console/inspect.ts");
export const loadUrl = () => require("./web/url.ts") as typeof import("./web/url.ts");
export const loadUrlSearchParams = () =>
  require("./web/url-search-params.ts") as typeof import("./web/url-search-params.ts");
