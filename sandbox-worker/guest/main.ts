/**
 * The guest runtime's top: runs in a fresh context before anything else. It takes the host's
 * callbacks off the global object, puts the web's globals on it, and leaves the entry for the cage.
 */
import { entry } from "./entry.ts";
import { installGlobals } from "./globals.ts";

installGlobals();
Object.defineProperty(globalThis, "__bulkhead_entry", { value: entry, configurable: true });
