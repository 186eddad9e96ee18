import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { dockerHost } from "./setup/docker-api.ts";
import { type Machine, releaseMachine, setUp } from "./setup/set-up.ts";
import { makeTemporaryFolder } from "./stack/places.ts";
import { closingLine, readCounts } from "./test-report.ts";
import { runVitest } from "./vitest-run.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const machine = await setUp(join(ROOT, ".bulkhead"), (line) => console.log(line));
  const temporary = await makeTemporaryFolder();
  console.log(`Temporary files: ${temporary}`);
  try {
    const report = join(temporary, "report.json");
    const code = await runVitest({ root: ROOT, args, report, env: testEnv(machine, temporary) });
    console.log(closingLine(readCounts(report), code));
    return code;
  } finally {
    await releaseMachine(machine);
    rmSync(temporary, { recursive: true, force: true });
  }
}

function testEnv(machine: Machine, temporary: string): NodeJS.ProcessEnv {
  const { engine } = machine;
  return {
    ...process.env,
    TMPDIR: temporary,
    XDG_CACHE_HOME: machine.cacheHome,
    WRANGLER_SEND_METRICS: "false",
    ...(engine.ready ? { DOCKER_HOST: dockerHost(engine.value.endpoint) } : {}),
  };
}
