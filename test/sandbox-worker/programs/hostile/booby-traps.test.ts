import { BOOBY_TRAPS } from "./booby-traps.ts";
import { survivalTests } from "./survival.ts";

survivalTests("values that fight whoever looks", BOOBY_TRAPS);
