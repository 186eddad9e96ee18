import { GREEDY } from "./greedy.ts";
import { survivalTests } from "./survival.ts";

survivalTests("memory without end", GREEDY);
