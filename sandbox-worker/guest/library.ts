import { core } from "core:shared";

import type { load as libraryParts } from "./lazy-modules.ts";
import { ops } from "./ops.ts";
import { NativeRangeError } from "./primordials.ts";

type Library = typeof libraryParts;

let maker: ReturnType<typeof ops.library> = null;
let made: Library | null = null;
/** Whether the host knows that this realm's program uses the library. */
let told = false;

function make(): Library {
  maker ??= ops.library();
  if (maker === null) {
    throw new NativeRangeError("Cannot load a part of the runtime: no stack or memory is left");
  }
  return maker(core()) as Library;
}

/**
 * The parts that most runs never touch. They are a script of their own, which no realm has before
 * somebody asks here.
 *
 * @throws {RangeError} Where neither stack nor memory is left to load it.
 */
export function library(): Library {
  if (made === null) {
    made = make();
    told = true;
  } else if (!told) {
    told = true;
    ops.library();
  }
  return made;
}

/** Has the library there before anybody asks: where it will be asked for, that takes no time of the run's. */
export function makeLibrary(): void {
  made = make();
}
