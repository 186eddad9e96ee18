/**
 * Runs once at start in a cage's place, behind the same walls, and reports what Node's own
 * permissions leave it. What the kernel's walls do is read from outside: a cage is not asked.
 */
import { encodeFrame, Up } from "../../frames.ts";

const denied = ["fs.read", "fs.write", "child", "net"].every(
  (scope) => process.permission?.has(scope) === false,
);
process.stdout.write(encodeFrame(Up.end, Buffer.from(JSON.stringify({ permissions: denied }))));
// It lives until it is killed, so that it can be looked at.
process.stdin.resume();
