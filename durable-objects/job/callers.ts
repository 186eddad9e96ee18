import type { Config } from "../../gateway/config.ts";
import { ContainerLane } from "../../gateway/lanes/container.ts";
import { IsolateJobs } from "../../gateway/lanes/isolate-jobs.ts";
import { WebhookSender } from "./webhook-sender.ts";

/** What Jobs call others with. */
export interface Callers {
  readonly containers: ContainerLane;
  readonly isolates: IsolateJobs;
  readonly webhooks: WebhookSender;
}

const callers = new WeakMap<Config, Callers>();

/**
 * The callers of one configuration, shared by all Jobs of a Worker isolate: what they learn of an
 * executor's boot saves every other Job a refusal. They keep nothing of any job.
 */
export function callersOf(config: Config): Callers {
  const known = callers.get(config);
  if (known !== undefined) return known;
  const made: Callers = {
    containers: new ContainerLane(config),
    isolates: new IsolateJobs(config),
    webhooks: new WebhookSender(config),
  };
  callers.set(config, made);
  return made;
}
