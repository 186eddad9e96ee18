/** Counts for as many milliseconds as it is told, then prints how far it came: a core's worth of work. */
const milliseconds = Number(process.argv[2]);
const until = performance.now() + milliseconds;
let rounds = 0;
let sink = 0;
while (performance.now() < until) {
  for (let i = 0; i < 100_000; i++) sink = (sink * 31 + i) | 0;
  rounds++;
}
process.stdout.write(`${rounds} ${sink}\n`);
