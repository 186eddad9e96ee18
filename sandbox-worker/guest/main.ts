/**
 * The core's top: runs in a fresh context before anything else. It puts the web's globals on the
 * global object, and gives the cage its way in.
 */
import { installGlobals } from "./globals.ts";

installGlobals();

export { entry } from "./entry.ts";
