/**
 * The watchdog's own thread: runs no guest code, only waits, reads clocks and, where a run is over
 * its time, kills the process with the main thread inside whatever it is stuck in.
 */
import { readSync } from "node:fs";
import { workerData } from "node:worker_threads";

import type { WatchdogWord } from "../frames.ts";
import { CpuClock, processCpuMs } from "./cpu-clock.ts";
import { dieWith } from "./last-word.ts";
import { openOrNull } from "./proc-file.ts";
import { ResidentGauge } from "./resident.ts";
import { monotonicMs, PHASE_IDLE, PHASE_KILLING, WatchdogState } from "./watchdog-state.ts";

/** How often a run is looked at. */
const POLL_MS = 10;
/** The main thread's own check of its CPU time comes first: it can say more than a word. */
const CPU_GRACE_MS = 20;
/** Idle for so many polls, the thread sleeps until it is woken. */
const LINGER_POLLS = 50;
/** Between runs nothing of a guest may run: an idle cage that computes for most of this dies. */
const IDLE_WINDOW_MS = 1_000;
const IDLE_CPU_SHARE = 0.7;

/** Asleep at so many polls in a row, the main thread is parked: no lock or back-off sleeps so long. */
const PARKED_POLLS = 5;

/** Numbers of `nanosleep` and `clock_nanosleep`. */
const SLEEP_CALLS = process.arch === "arm64" ? ["101", "115"] : ["35", "230"];

/**
 * Whether the main thread lies in a sleep, for good. A guest has no way to sleep, and the host never does:
 * isolated-vm parks the thread so, for ever, once V8 has run out of memory; its callback waits for
 * that very thread.
 */
function parkedProbe(): () => boolean {
  // The main thread's id is the process's.
  const file = openOrNull(`/proc/self/task/${process.pid}/syscall`);
  if (file === null) return () => false;
  const text = Buffer.alloc(8);
  let asleepPolls = 0;
  return () => {
    const length = readSync(file, text, 0, text.byteLength, 0);
    const [call = ""] = text.toString("latin1", 0, length).split(" ", 1);
    asleepPolls = SLEEP_CALLS.includes(call) ? asleepPolls + 1 : 0;
    return asleepPolls >= PARKED_POLLS;
  };
}

interface Senses {
  readonly clock: CpuClock;
  readonly resident: ResidentGauge;
  readonly isParked: () => boolean;
}

function verdict(state: WatchdogState, { clock, resident, isParked }: Senses): WatchdogWord | null {
  const { deadlineMs, cpuEndMs, residentMaxBytes } = state.armed();
  if (isParked() || resident.bytes() > residentMaxBytes) return "memory_limit";
  if (state.poolCounts) clock.countPool();
  if (clock.ms() > cpuEndMs + CPU_GRACE_MS) return "cpu_timeout";
  return monotonicMs() > deadlineMs ? "wall_timeout" : null;
}

function watch(state: WatchdogState): never {
  const senses: Senses = {
    clock: new CpuClock(),
    resident: new ResidentGauge(),
    isParked: parkedProbe(),
  };
  let idlePolls = 0;
  let idleCpuMs = processCpuMs();
  for (;;) {
    const phase = state.phase;
    if (phase === PHASE_IDLE) {
      const deep = idlePolls++ >= LINGER_POLLS;
      const windowMs = deep ? IDLE_WINDOW_MS : POLL_MS;
      state.wait(phase, windowMs, deep);
      const cpuMs = processCpuMs();
      const busy = deep && cpuMs - idleCpuMs > windowMs * IDLE_CPU_SHARE;
      if (busy && state.move(PHASE_IDLE, PHASE_KILLING)) dieWith("cpu_timeout");
      idleCpuMs = cpuMs;
      continue;
    }
    idlePolls = 0;
    const word = verdict(state, senses);
    if (word !== null && state.move(phase, PHASE_KILLING)) dieWith(word);
    state.wait(phase, POLL_MS, false);
  }
}

watch(new WatchdogState(workerData as SharedArrayBuffer));
