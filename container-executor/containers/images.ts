import type { ContainerRuntimes } from "../../protocol/container-api.ts";
import type { Engine, ImageInfo } from "../engine/engine.ts";
import { log } from "../log.ts";
import { imageReference, LABEL_VERSION, RUNTIME_IMAGES, RUNTIMES } from "../runtimes/runtimes.ts";
import type { RuntimeImage } from "../runtimes/runtimes.ts";

const LOOK_EVERY_MS = 15_000;

/** The runtime images that are here, looked for again and again: one that is built later is used from then on. */
export class Images {
  readonly #engine: Engine;
  readonly #here = new Map<RuntimeImage, ImageInfo>();
  readonly #found: (image: RuntimeImage) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `found` is told of each image when it is first seen, and whenever another one has its name. */
  constructor(engine: Engine, found: (image: RuntimeImage) => void) {
    this.#engine = engine;
    this.#found = found;
  }

  /** Looks now, and from now on until `close`. */
  async watch(): Promise<void> {
    await this.#look();
    for (const image of RUNTIME_IMAGES) {
      if (!this.#here.has(image)) log("image.missing", { image: imageReference(image) });
    }
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** The id by which containers of it are made; undefined where it is not here. */
  idOf(image: RuntimeImage): string | undefined {
    return this.#here.get(image)?.id;
  }

  present(): Readonly<Record<string, boolean>> {
    return Object.fromEntries(RUNTIME_IMAGES.map((image) => [image, this.#here.has(image)]));
  }

  runtimes(engineName: string): ContainerRuntimes {
    return {
      runtimes: Object.entries(RUNTIMES).flatMap(([language, { image }]) => {
        const info = this.#here.get(image);
        if (info === undefined) return [];
        const version = info.labels[LABEL_VERSION] ?? "unknown";
        const reference = imageReference(image);
        return [{ language, version, lane: "container", engine: engineName, image: reference }];
      }),
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    for (const image of RUNTIME_IMAGES) {
      const info = await this.#engine.image(imageReference(image));
      if (info.ok) {
        const isNew = this.idOf(image) !== info.value.id;
        this.#here.set(image, info.value);
        if (isNew) this.#found(image);
      } else if (info.failure.kind === "missing") {
        this.#here.delete(image);
      }
    }
  }
}
