import picomatch from "picomatch";

import type { ContainerCaps, ContainerOrder, OrderRefusal } from "../../protocol/container-api.ts";
import { isNetPatternCovered, parseNetPattern } from "../../protocol/net-permission.ts";
import type { NetPattern } from "../../protocol/net-permission.ts";
import type { Ceilings } from "../config.ts";

/** Host, path, tag and digest, as the engine reads a reference; nothing else of it is ever parsed. */
const REFERENCE =
  /^(?:[a-z0-9.-]+(?::[0-9]{1,5})?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

export interface OrderPolicy {
  readonly ceilings: Ceilings;
  readonly allowedImages: readonly string[];
  readonly network: readonly NetPattern[];
}

/** Why an order can never run here, or undefined where it can; whether its image is there is not asked. */
export function orderRefusal(order: ContainerOrder, policy: OrderPolicy): OrderRefusal | undefined {
  const { image, net } = order;
  const over = aboveCeiling(order.caps, policy.ceilings);
  if (over !== undefined) return { code: "above_ceiling", detail: over };
  if (image !== null) {
    if (!REFERENCE.test(image) || !isAllowed(image, policy.allowedImages)) {
      return { code: "image_not_allowed", detail: "the image is not among ALLOWED_IMAGES" };
    }
    if (order.files.length > 0 || order.artifacts.length > 0) {
      const detail = "files and artifacts need a runtime's own image, which has an init for them";
      return { code: "files_need_runtime", detail };
    }
  }
  const outside = net.find((text) => {
    const asked = parseNetPattern(text);
    return asked === undefined || !isNetPatternCovered(policy.network, asked);
  });
  if (outside === undefined) return undefined;
  const detail = `"${outside}" is outside CONTAINER_NETWORK of this executor`;
  return { code: "network_not_allowed", detail };
}

const isAllowed = (image: string, patterns: readonly string[]): boolean =>
  patterns.length > 0 && picomatch([...patterns], { dot: true })(image);

function aboveCeiling(caps: ContainerCaps, ceilings: Ceilings): string | undefined {
  for (const name of Object.keys(ceilings) as (keyof Ceilings)[]) {
    const ceiling = ceilings[name];
    const asked = caps[name];
    if (ceiling === null || (asked !== null && asked <= ceiling)) continue;
    return `caps.${name}: ${asked ?? "unlimited"} is above this executor's ceiling of ${ceiling}`;
  }
  return undefined;
}
