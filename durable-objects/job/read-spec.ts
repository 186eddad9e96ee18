import type { JobSpec, SpecPlace } from "../job-contract.ts";

/** Reads a spec from where its Tenant left it; undefined where it is gone. */
export async function readSpecOf(bucket: R2Bucket, place: SpecPlace): Promise<JobSpec | undefined> {
  if (place.kind === "inline") return JSON.parse(place.text) as JobSpec;
  const object = await bucket.get(place.key);
  return object === null ? undefined : object.json<JobSpec>();
}
