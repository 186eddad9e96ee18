import { describe, expect, it } from "vitest";

import {
  ALLOW,
  assemble,
  cageFilter,
  KILL_PROCESS,
  MISSING,
  REFUSE,
} from "../../../../sandbox-worker/service/walls/seccomp.ts";
import type { Instruction } from "../../../../sandbox-worker/service/walls/seccomp.ts";

interface Call {
  readonly arch: number;
  readonly number: number;
  readonly argument?: number;
}

/** What the kernel's machine does with a program of the instructions that the filter uses. */
function evaluate(program: readonly Instruction[], { arch, number, argument = 0 }: Call): number {
  const data = new Map([
    [0, number],
    [4, arch],
    [16, argument],
  ]);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const { code, jumpTrue, jumpFalse, operand } = program[at]!;
    switch (code) {
      case 0x20:
        accumulator = data.get(operand)!;
        break;
      case 0x06:
        return operand;
      case 0x15:
        at += accumulator === operand ? jumpTrue : jumpFalse;
        break;
      case 0x35:
        at += accumulator >= operand ? jumpTrue : jumpFalse;
        break;
      case 0x45:
        at += (accumulator & operand) !== 0 ? jumpTrue : jumpFalse;
        break;
      default:
        throw new Error(`no such instruction: ${code}`);
    }
  }
}

const X64 = 0xc000003e;
const ARM64 = 0xc00000b7;
const I386 = 0x40000003;
const THREAD = 0x10000;

describe.each([
  {
    name: "x64",
    arch: X64,
    numbers: { read: 0, openat: 257, futex: 202, execve: 59, clone: 56, clone3: 435 },
    attacks: { ptrace: 101, mount: 165, bpf: 321, perf: 298, keyctl: 250, unshare: 272 },
    missing: { socket: 41, connect: 42, fork: 57, io_uring_setup: 425, clone3: 435 },
  },
  {
    name: "arm64",
    arch: ARM64,
    numbers: { read: 63, openat: 56, futex: 98, execve: 221, clone: 220, clone3: 435 },
    attacks: { ptrace: 117, mount: 40, bpf: 280, perf: 241, keyctl: 219, unshare: 97 },
    missing: { socket: 198, connect: 203, io_uring_setup: 425, clone3: 435 },
  },
] as const)("cageFilter() on $name", ({ name, arch, numbers, attacks, missing }) => {
  const program = cageFilter(name);
  const verdict = (number: number, argument?: number): number =>
    evaluate(program, { arch, number, ...(argument === undefined ? {} : { argument }) });

  it.each(["read", "openat", "futex", "execve"] as const)("allows %s", (call) => {
    expect(verdict(numbers[call])).toBe(ALLOW);
  });

  it.each(Object.entries(attacks))("kills for %s", (_call, number) => {
    expect(verdict(number)).toBe(KILL_PROCESS);
  });

  it.each(Object.entries(missing))("has no %s", (_call, number) => {
    expect(verdict(number)).toBe(MISSING);
  });

  it("lets threads be made, and neither processes nor namespaces", () => {
    expect(verdict(numbers.clone, THREAD)).toBe(ALLOW);
    expect(verdict(numbers.clone, 17)).toBe(REFUSE);
    expect(verdict(numbers.clone, 0x1000_0000)).toBe(REFUSE);
  });

  it("kills for a call of another architecture", () => {
    expect(evaluate(program, { arch: I386, number: numbers.read })).toBe(KILL_PROCESS);
  });
});

it("kills for calls by x32 numbers", () => {
  const program = cageFilter("x64");
  expect(evaluate(program, { arch: X64, number: 0x4000_0000 })).toBe(KILL_PROCESS);
});

it("assemble() writes what the kernel reads, 8 bytes each", () => {
  const bytes = assemble([{ code: 0x15, jumpTrue: 1, jumpFalse: 2, operand: 0x8000_0000 }]);
  expect([...bytes]).toEqual([0x15, 0, 1, 2, 0, 0, 0, 0x80]);
});
