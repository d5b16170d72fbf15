import { readFlags, USAGE, type Flags } from './flags.js';
import { Run } from './run.js';

let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}

const { seed, minutes, nodes } = flags;
console.log(`npm run chaos -- --minutes ${minutes} --nodes ${nodes} --seed ${seed}`);
const run = new Run(flags, (line) => console.log(line));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    run.abandon();
    process.exit(130);
  });
}
const outcome = await run.outcome();
console.log(outcome.lines().join('\n'));
Run.write(flags, outcome);
process.exit(outcome.violations.length === 0 ? 0 : 1);
