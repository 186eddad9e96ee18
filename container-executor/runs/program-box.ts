import { AttachStream } from "../channel/attach-stream.ts";
import type { CgroupUse } from "../containers/cgroup.ts";
import type { ProgramContainer } from "../containers/container-factory.ts";
import type { Engine } from "../engine/engine.ts";
import type { BoxListener, BoxUse, JobBox } from "./job-box.ts";
import type { CgroupEvidence } from "./verdict.ts";

/**
 * A container of the tenant's own image, whose program was started with it. It has no init of ours:
 * it leaves no files, is found again by no later life of the service, and its evidence is the last
 * that was seen of its control group.
 */
export class ProgramBox implements JobBox {
  readonly leavings = null;
  readonly #engine: Engine;
  readonly #container: ProgramContainer;
  readonly #attached = new AttachStream();
  readonly #written = { stdout: 0, stderr: 0 };
  #latest: CgroupUse | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(engine: Engine, container: ProgramContainer, stdin: Buffer, listener: BoxListener) {
    this.#engine = engine;
    this.#container = container;
    const { stream } = container;
    listener.started();
    stream.on("data", (chunk: Buffer) => {
      for (const { stream: name, bytes } of this.#attached.push(chunk) ?? []) {
        listener.output(name, this.#written[name], bytes);
        this.#written[name] += bytes.byteLength;
      }
    });
    stream.once("close", () => {
      void this.#streamEnded(listener);
    });
    // Half closed only, as output is still to come.
    stream.once("end", () => stream.destroy());
    stream.end(stdin);
  }

  get containerId(): string {
    return this.#container.id;
  }

  cancel(graceMs: number): void {
    if (graceMs > 0) void this.#engine.kill(this.containerId, "SIGTERM");
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => {
      void this.#engine.kill(this.containerId, "SIGKILL");
    }, graceMs);
  }

  /** Nothing in the container holds a lease: the service alone does. */
  renew(): void {}

  async use(): Promise<BoxUse | undefined> {
    const use = await this.#container.cgroup?.use();
    if (use !== undefined) this.#latest = use;
    return use;
  }

  async evidence(): Promise<CgroupEvidence | null> {
    await this.use();
    return this.#latest ?? null;
  }

  detach(): void {
    this.close();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#killTimer);
    this.#container.stream.destroy();
  }

  /** The stream ends with the program, or with the connection; then nobody sees the rest of its output. */
  async #streamEnded(listener: BoxListener): Promise<void> {
    if (this.#closed) return;
    const exited = await this.#engine.wait(this.containerId);
    clearTimeout(this.#killTimer);
    const state = exited.ok ? await this.#engine.inspect(this.containerId) : exited;
    if (state.ok && !state.value.running) {
      const { exitCode, oomKilled } = state.value;
      return listener.ended({ kind: "engine", exitCode, oomKilled, ownProgram: true });
    }
    await this.#engine.remove(this.containerId);
    const detail = state.ok ? "the engine ended the connection" : state.failure.message;
    listener.ended({ kind: "none", detail, sent: true });
  }
}
