import { CLONE, HOSTILE, NEEDED } from "./seccomp-syscalls.ts";

/** The architectures that the filter is written for, as Node names them. */
export type FilteredArch = "x64" | "arm64";

/** `struct sock_filter`: what the kernel's classic BPF machine runs. */
export interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly operand: number;
}

// BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JGE|BPF_K, BPF_JMP|BPF_JSET|BPF_K, BPF_RET|BPF_K.
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** What the kernel does with a call. */
export const ALLOW = 0x7fff_0000;
export const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
/** For what the cage may not do. */
export const REFUSE = ERRNO | 1;
/** For what does not exist in a cage: libraries then fall back, as on an older kernel. */
export const MISSING = ERRNO | 38;

// Offsets in `struct seccomp_data`. The low half of the first argument is enough for `clone`'s flags.
const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;
const FIRST_ARGUMENT_OFFSET = 16;

const AUDIT_ARCH: Readonly<Record<FilteredArch, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
const X32_NUMBERS = 0x4000_0000;
const CLONE_THREAD = 0x0001_0000;

const load = (offset: number): Instruction => ({
  code: LOAD,
  jumpTrue: 0,
  jumpFalse: 0,
  operand: offset,
});
const answer = (verdict: number): Instruction => ({
  code: RETURN,
  jumpTrue: 0,
  jumpFalse: 0,
  operand: verdict,
});
/** Skips `skip` instructions where the test fails. */
const unlessSkip = (code: number, operand: number, skip: number): Instruction => ({
  code,
  jumpTrue: 0,
  jumpFalse: skip,
  operand,
});

/**
 * The filter on a cage's system calls: what it needs is allowed, what only an attack would call
 * kills it, and everything else is answered as missing. No new process, no socket, no namespace.
 */
export function cageFilter(arch: FilteredArch): readonly Instruction[] {
  const column = arch === "x64" ? 0 : 1;
  const numbers = (calls: typeof NEEDED): number[] =>
    Object.values(calls)
      .map((call) => call[column])
      .filter((number) => number !== null);
  return [
    load(ARCH_OFFSET),
    { code: JUMP_IF_EQUAL, jumpTrue: 1, jumpFalse: 0, operand: AUDIT_ARCH[arch] },
    answer(KILL_PROCESS),
    load(NUMBER_OFFSET),
    ...(arch === "x64" ? [unlessSkip(JUMP_IF_AT_LEAST, X32_NUMBERS, 1), answer(KILL_PROCESS)] : []),
    ...numbers(NEEDED).flatMap((number) => [unlessSkip(JUMP_IF_EQUAL, number, 1), answer(ALLOW)]),
    ...numbers(HOSTILE).flatMap((number) => [
      unlessSkip(JUMP_IF_EQUAL, number, 1),
      answer(KILL_PROCESS),
    ]),
    unlessSkip(JUMP_IF_EQUAL, CLONE[column] ?? 0, 4),
    load(FIRST_ARGUMENT_OFFSET),
    unlessSkip(JUMP_IF_ANY_BIT, CLONE_THREAD, 1),
    answer(ALLOW),
    answer(REFUSE),
    answer(MISSING),
  ];
}

/** The program as the kernel and bubblewrap's `--seccomp` read it: 8 bytes each, little-endian. */
export function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, jumpTrue, jumpFalse, operand }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, index * 8 + 4);
  }
  return bytes;
}
