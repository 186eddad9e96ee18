import { FLOODS } from "./floods.ts";
import { survivalTests } from "./survival.ts";

survivalTests("floods", FLOODS);
