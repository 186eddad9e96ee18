/** What a program may learn of where it runs. */
export class Navigator {
  get userAgent(): string {
    return "Bulkhead";
  }
  get language(): string {
    return "en-US";
  }
  get languages(): readonly string[] {
    return Object.freeze(["en-US"]);
  }
  /** Always one: a program here has one thread, whatever the machine has. */
  get hardwareConcurrency(): number {
    return 1;
  }
  get [Symbol.toStringTag](): string {
    return "Navigator";
  }
}

export const navigator = new Navigator();
