import { describe, expect, it } from "vitest";

import { whyAptCannot } from "../../scripts/setup/apt.ts";
import { debianSources } from "../../scripts/setup/base-image.ts";
import { missingCageTools } from "../../scripts/setup/cages.ts";
import { wrapperScript } from "../../scripts/setup/chromium.ts";
import { dockerHost, parseDockerHost } from "../../scripts/setup/docker-api.ts";
import { daemonConfig, enginePlaces } from "../../scripts/setup/engine-places.ts";
import { machineEndpoints, missingEnginePackages } from "../../scripts/setup/engine.ts";
import { mountsBelow } from "../../scripts/setup/mounts.ts";
import { lastLines, runCommand } from "../../scripts/setup/run-command.ts";
import { buildFailure, imageIds, proxySettings } from "../../scripts/setup/runtime-images.ts";

describe("what has to be installed", () => {
  it("is nothing on a machine that has it all", () => {
    expect(missingCageTools(new Set(["bwrap", "setpriv", "unshare"]))).toEqual([]);
    expect(missingEnginePackages(() => true)).toEqual([]);
  });

  it("is only what is missing", () => {
    expect(missingCageTools(new Set(["setpriv", "unshare"]))).toEqual(["bubblewrap"]);
    expect(missingEnginePackages((program) => program === "runsc")).toEqual(["docker.io"]);
  });

  it("is left to the owner where apt cannot", () => {
    expect(whyAptCannot({ isDebian: true, isRoot: true })).toBeNull();
    expect(whyAptCannot({ isDebian: true, isRoot: false })).toContain("root");
    expect(whyAptCannot({ isDebian: false, isRoot: true })).toContain("Debian");
  });
});

describe("the machine's Docker engine", () => {
  it("is where DOCKER_HOST says, and nowhere else", () => {
    expect(machineEndpoints("tcp://10.0.0.1:2376", "/home/a")).toEqual([
      { kind: "tcp", host: "10.0.0.1", port: 2376 },
    ]);
    expect(machineEndpoints("ssh://host", "/home/a")).toEqual([]);
  });

  it("is at the usual sockets without one", () => {
    expect(machineEndpoints(undefined, "/home/a").map(dockerHost)).toEqual([
      "unix:///var/run/docker.sock",
      "unix:///home/a/.docker/run/docker.sock",
    ]);
  });

  it.each(["unix:///run/x.sock", "tcp://127.0.0.1:2375"])(
    "%s is read and written alike",
    (host) => {
      expect(dockerHost(parseDockerHost(host)!)).toBe(host);
    },
  );
});

describe("the project's own Docker engine", () => {
  it("keeps its sockets below the project", () => {
    expect(enginePlaces("/srv/bulkhead/.bulkhead").socket).toBe(
      "/srv/bulkhead/.bulkhead/docker/docker.sock",
    );
  });

  it("moves them where the kernel can name them when the project lies deep", () => {
    const places = enginePlaces(`/srv/${"deep/".repeat(20)}.bulkhead`);

    expect(places.socket).toMatch(/^\/run\/bulkhead-[0-9a-f]{12}\/docker\.sock$/);
    expect(places.dataRoot).toContain("/deep/");
  });

  it("offers gVisor where runsc is installed", () => {
    expect(daemonConfig("/usr/bin/runsc", "/srv/runsc-net")).toMatchObject({
      runtimes: {
        runsc: { path: "/usr/bin/runsc", runtimeArgs: ["--platform=ptrace", "--network=none"] },
        "runsc-net": {
          path: "/srv/runsc-net",
          runtimeArgs: ["--platform=ptrace", "--network=sandbox"],
        },
      },
    });
    expect(daemonConfig(null, "/srv/runsc-net")).not.toHaveProperty("runtimes");
  });
});

it("debianSources() takes the machine's own archive of the image's suite", () => {
  const targets = [
    "Debian|http://deb.example/debian/|bookworm|main",
    "Debian|http://deb.example/debian/|bookworm|main",
    "Debian|http://deb.example/debian-security/|bookworm-security|main",
    "Debian|http://deb.example/debian/|trixie|main",
    "Elsewhere|http://other.example/|bookworm|main",
    "",
  ].join("\n");

  expect(debianSources(targets)).toEqual([
    "deb http://deb.example/debian/ bookworm main",
    "deb http://deb.example/debian-security/ bookworm-security main",
  ]);
});

describe("wrapperScript()", () => {
  it("gives up Chromium's own sandbox for root only, who could not start it otherwise", () => {
    expect(wrapperScript("/usr/bin/chromium", true)).toContain("--no-sandbox");
    expect(wrapperScript("/usr/bin/chromium", false)).not.toContain("--no-sandbox");
  });

  it("quotes a path with a space", () => {
    expect(wrapperScript("/opt/my chrome", false)).toContain("exec '/opt/my chrome' ");
  });
});

describe("runCommand()", () => {
  it("says what a command wrote and how it ended", async () => {
    const result = await runCommand("sh", ["-c", "echo out; echo err >&2; exit 3"], {
      timeoutMs: 5_000,
    });
    expect(result).toMatchObject({ code: 3, stdout: "out\n" });
    expect(result.tail).toContain("err");
  });

  it("ends a command that takes too long, and survives one that is not there", async () => {
    expect(await runCommand("sleep", ["60"], { timeoutMs: 50 })).toMatchObject({ code: null });
    expect(await runCommand("no-such-program", [], { timeoutMs: 50 })).toMatchObject({
      code: null,
      tail: expect.stringContaining("ENOENT"),
    });
  });
});

it("lastLines() keeps the lines that say something", () => {
  expect(lastLines("a\n\nb  \nc\n", 2)).toBe("b\nc");
});

it("mountsBelow() lists a folder's mounts from the inside out, and no neighbour's", () => {
  const mountinfo = [
    "1 0 0:1 / / rw - ext4 /dev/a rw",
    "2 1 0:1 /x /srv/docker/data rw - ext4 /dev/a rw",
    "3 2 0:2 / /srv/docker/data/overlay2/a\\040b/merged rw - overlay overlay rw",
    "4 1 0:1 / /srv/docker-other rw - ext4 /dev/a rw",
    "",
  ].join("\n");

  expect(mountsBelow("/srv/docker", mountinfo)).toEqual([
    "/srv/docker/data/overlay2/a b/merged",
    "/srv/docker/data",
  ]);
});

describe("the build of a runtime image", () => {
  const messages = (...values: readonly object[]) =>
    values.map((value) => JSON.stringify(value)).join("\r\n");

  it("fails with the last words of the step that did", () => {
    const text = messages(
      { stream: "Step 2/5 : RUN apt-get update\n" },
      { stream: "E: no route\n" },
      { stream: "\n" },
      { errorDetail: { code: 100 }, error: "The command returned 100" },
    );
    expect(buildFailure(text)).toBe(
      "Step 2/5 : RUN apt-get update E: no route The command returned 100",
    );
  });

  it("succeeds otherwise, also where its first messages were cut", () => {
    expect(buildFailure(`ep 1"}\n${messages({ stream: "Successfully built" })}`)).toBeNull();
  });

  it("knows the images that it replaced", () => {
    expect(imageIds('[{"Id":"sha256:a","Labels":{}},{"Id":"sha256:b"}]')).toEqual([
      "sha256:a",
      "sha256:b",
    ]);
    expect(imageIds('{"message":"no such thing"}')).toEqual([]);
  });

  it("reaches archives by the machine's proxies", () => {
    const env = { http_proxy: "http://proxy:3128", NO_PROXY: "local", PATH: "/bin" };
    expect(proxySettings(env)).toEqual({ http_proxy: "http://proxy:3128", NO_PROXY: "local" });
  });
});
