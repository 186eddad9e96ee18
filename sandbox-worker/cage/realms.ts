import type { Isolation } from "../../protocol/sandbox-api.ts";
import { GuestIsolate, type GuestRuntime } from "./guest-isolate.ts";
import type { Realm } from "./realm.ts";

/** Warm instances that one cage keeps: a tenant's few programs that are called often. */
const WARM_MAX = 8;
/** Of its memory cap, what an isolate may hold between runs and still be kept. */
const KEPT_SHARE = 0.8;

const MIB = 1024 * 1024;

/** A kept module instance, and what it held when its last run ended. */
interface WarmInstance {
  readonly realm: Realm;
  readonly heldBytes: number;
}

/** What a run needs of its place. */
export interface Placement {
  readonly isolation: Isolation;
  readonly memoryMb: number;
  /** Names the warm instance that can serve the run; "" where none may. */
  readonly warmKey: string;
}

/**
 * The places where a cage's runs happen, made ahead so that no run waits for one.
 *
 * `run`: an isolate of its own. `tenant`: a context of its own in the isolate kept for that.
 * `warm`: an isolate whose module instance is kept for the next run of the same program.
 */
export class Realms {
  readonly #runtime: GuestRuntime;
  readonly #outOfMemory: () => void;
  /** Never used by anyone. */
  #fresh: Realm | null = null;
  /** In the tenant's kept isolate, context never used. */
  #next: Realm | null = null;
  #kept: GuestIsolate | null = null;
  readonly #warm = new Map<string, WarmInstance>();
  /** Whether the tenant's last run used all of the runtime: its next one probably will. */
  #wholeRuntime = false;

  constructor(runtime: GuestRuntime, outOfMemory: () => void) {
    this.#runtime = runtime;
    this.#outOfMemory = outOfMemory;
  }

  /** The place for a run; `program` is set where it is a warm instance of the same program. */
  take(placement: Placement): Realm {
    const { isolation, memoryMb, warmKey } = placement;
    if (isolation === "warm") {
      const warm = this.#warm.get(warmKey);
      if (warm !== undefined) {
        this.#warm.delete(warmKey);
        return warm.realm;
      }
    }
    if (isolation === "tenant" && this.#kept !== null) {
      if (this.#kept.memoryMb === memoryMb) {
        const next = this.#next ?? this.#kept.createRealm(this.#wholeRuntime);
        this.#next = null;
        return next;
      }
      this.#dropKept();
    }
    const fresh = this.#fresh;
    if (fresh !== null) {
      this.#fresh = null;
      if (fresh.guest.memoryMb === memoryMb) return fresh;
      fresh.guest.dispose();
    }
    return this.#create(memoryMb);
  }

  /**
   * Takes a place back. `clean`: the run ended by itself and left nothing behind; where it did
   * not, its isolate goes with it.
   */
  giveBack(realm: Realm, placement: Placement, clean: boolean, heldBytes: number): void {
    realm.detach();
    this.#wholeRuntime = realm.usedLibrary;
    const { guest } = realm;
    const small = heldBytes < guest.memoryMb * MIB * KEPT_SHARE;
    if (!clean || !small || placement.isolation === "run") {
      if (guest === this.#kept) this.#dropKept();
      guest.dispose();
      return;
    }
    if (placement.isolation === "warm") {
      this.#keepWarm(placement.warmKey, { realm, heldBytes });
      return;
    }
    realm.release();
    if (this.#kept === null) this.#kept = guest;
  }

  /** Makes ahead what another run of this kind will need. */
  prepare({ isolation, memoryMb }: Pick<Placement, "isolation" | "memoryMb">): void {
    if (isolation === "tenant" && this.#kept !== null) {
      this.#next ??= this.#kept.createRealm(this.#wholeRuntime);
      return;
    }
    if (this.#fresh !== null && this.#fresh.guest.memoryMb !== memoryMb) {
      this.#fresh.guest.dispose();
      this.#fresh = null;
    }
    this.#fresh ??= this.#create(memoryMb);
  }

  #create(memoryMb: number): Realm {
    return new GuestIsolate(this.#runtime, memoryMb, this.#outOfMemory).createRealm(
      this.#wholeRuntime,
    );
  }

  /** Together, instances hold no more than one run may: the process's memory is for the run. */
  #keepWarm(key: string, instance: WarmInstance): void {
    this.#warm.get(key)?.realm.guest.dispose();
    this.#warm.set(key, instance);
    const maxBytes = instance.realm.guest.memoryMb * MIB;
    let heldBytes = 0;
    for (const warm of this.#warm.values()) heldBytes += warm.heldBytes;
    for (const [oldest, warm] of this.#warm) {
      if (this.#warm.size <= WARM_MAX && heldBytes <= maxBytes) return;
      this.#warm.delete(oldest);
      heldBytes -= warm.heldBytes;
      warm.realm.guest.dispose();
    }
  }

  #dropKept(): void {
    this.#kept?.dispose();
    this.#kept = null;
    this.#next = null;
  }
}
