import { constants } from "node:os";
import { getSystemErrorName } from "node:util";

import type { InitEnd, InitExit, InitFileEntry, InitKill, InitStats } from "./init-messages.ts";

const KILLS: readonly (InitKill | null)[] = [
  null,
  "cancelled",
  "lease_expired",
  "memory_limit",
  "disk_limit",
  "cpu_limit",
];

const EXIT_BYTES = 76;
const ENTRY_BYTES = 22;

/** What an EXIT frame says after its number. */
export function decodeExit(payload: Buffer): InitExit {
  const path = payload.subarray(EXIT_BYTES).toString();
  return {
    end: decodeEnd(payload.readUInt8(0), payload.readUInt32BE(1), path),
    killedFor: KILLS[payload.readUInt8(5)] ?? null,
    evidence: {
      oomKills: payload.readUInt32BE(6),
      pidsRefused: payload.readUInt32BE(10),
      diskFull: payload.readUInt8(14) === 1,
      valueOver: payload.readUInt8(15) === 1,
    },
    usage: {
      wallMs: readU64(payload, 16) / 1000,
      cpuMs: readU64(payload, 24) / 1000,
      memoryPeakBytes: readU64(payload, 32),
      diskBytes: readU64(payload, 40),
      killMs: readU64(payload, 48) / 1000,
    },
    stdoutBytes: readU64(payload, 56),
    stderrBytes: readU64(payload, 64),
    valueBytes: payload.readUInt32BE(72),
  };
}

function decodeEnd(kind: number, code: number, path: string): InitEnd {
  if (kind === 0) return { kind: "exited", code };
  if (kind === 1) return { kind: "signalled", signal: signalName(code) };
  if (kind === 2) return { kind: "exec_failed", errno: getSystemErrorName(-code) };
  return { kind: "setup_failed", errno: getSystemErrorName(-code), path };
}

/** The signal's name; real-time signals, which have none, by their number. */
function signalName(number: number): string {
  const named = Object.entries(constants.signals).find(([, value]) => value === number);
  return named === undefined ? `SIG${number}` : named[0];
}

export function decodeStats(payload: Buffer): InitStats {
  return {
    cpuMs: readU64(payload, 0) / 1000,
    memoryBytes: readU64(payload, 8),
    diskBytes: readU64(payload, 16),
    pids: payload.readUInt32BE(24),
  };
}

/** One page of the list of files. */
export interface Listing {
  readonly total: number;
  readonly complete: boolean;
  readonly files: readonly InitFileEntry[];
}

export function decodeListing(payload: Buffer): Listing {
  const first = payload.readUInt32BE(0);
  const files: InitFileEntry[] = [];
  for (let at = 9; at < payload.length;) {
    const end = at + ENTRY_BYTES + payload.readUInt16BE(at + 20);
    files.push({
      index: first + files.length,
      path: readPath(payload.subarray(at + ENTRY_BYTES, end)),
      bytes: readU64(payload, at),
      allocatedBytes: readU64(payload, at + 8),
      mode: payload.readUInt32BE(at + 16),
    });
    at = end;
  }
  return { total: payload.readUInt32BE(4), complete: payload.readUInt8(8) === 1, files };
}

/** The path as text; where it is no UTF-8, every byte outside of ASCII reads `%XX`. */
function readPath(bytes: Buffer): string {
  const text = bytes.toString();
  if (!text.includes("\ufffd") || Buffer.from(text).equals(bytes)) return text;
  return [...bytes]
    .map((byte) =>
      byte < 0x80
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}

/** A number of 64 bits; those here stay below 2^53 or are no less wrong above. */
export function readU64(payload: Buffer, at: number): number {
  return Number(payload.readBigUInt64BE(at));
}
