import { survivalTests } from "./survival.ts";
import { UNINTERRUPTIBLE } from "./uninterruptible.ts";

survivalTests("one call that never comes back", UNINTERRUPTIBLE);
