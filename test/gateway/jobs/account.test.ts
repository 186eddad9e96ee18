import { afterEach, describe, expect, it, vi } from "vitest";

import { playHost, playHosts } from "../../durable-objects/job/support.ts";
import { newKey, problemOf } from "../support.ts";
import { send } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const isolate = { language: "javascript", version: "15", lane: "isolate", engine: "V8" };
const container = {
  language: "python",
  version: "3.11",
  lane: "container",
  engine: "docker",
  image: "bulkhead-python",
};

const tells = (runtime: object) => async () => Response.json({ runtimes: [runtime] });
const silent = async () => {
  throw new Error("Network connection lost.");
};

describe("GET /v1/runtimes", () => {
  const runtimes = async () => send("GET", "/v1/runtimes", (await newKey()).key);

  // What was told is believed for a while, so each lane is first silent, and then speaks.
  it("is a problem while no lane answers", async () => {
    playHosts();
    playHost("http://sandbox.test", silent);
    playHost("http://container.test", silent);
    expect(await problemOf(await runtimes())).toMatchObject({ status: 503 });
  });

  it("has one lane's languages while the other does not answer", async () => {
    playHosts();
    playHost("http://sandbox.test", silent);
    playHost("http://container.test", tells(container));
    expect(await (await runtimes()).json()).toEqual({ runtimes: [container] });
  });

  it("has the languages of every lane", async () => {
    playHosts();
    playHost("http://sandbox.test", tells(isolate));
    expect(await (await runtimes()).json()).toEqual({ runtimes: [isolate, container] });
  });
});
