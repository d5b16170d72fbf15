import { cpus } from 'node:os';
import { readFlags, USAGE, type Flags } from './flags.js';
import { PAYLOAD_BYTES } from './load.js';
import { pinned, runPair } from './pair.js';
import { Report } from './report.js';

let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}

const place = pinned ? 'client on core 0, server on core 1' : 'not pinned to cores (no taskset): expect a wide spread';
console.log(
  `Echo of ${PAYLOAD_BYTES} bytes. Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${place}.`,
);
console.log(`${flags.rounds} interleaved rounds of ${flags.seconds} s after ${flags.warmUpSeconds} s of warm-up.\n`);

const report = new Report(flags.cases, flags.outstanding);
for (let round = 1; round <= flags.rounds; round++) {
  for (const outstanding of flags.outstanding) {
    for (const name of flags.cases) {
      const load = { outstanding, warmUpMs: flags.warmUpSeconds * 1000, measureMs: flags.seconds * 1000 };
      report.add(name, outstanding, await runPair(name, load, flags.profile));
      process.stderr.write('.');
    }
  }
}
process.stderr.write('\n');
console.log(report.lines().join('\n'));
