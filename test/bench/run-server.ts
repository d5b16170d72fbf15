import { CASES, type CaseName } from './case-table.js';
import type { Meeting } from './case.js';
import { cpuMicroseconds, type FromRun, type ToRun } from './process-message.js';

const [name, meeting] = process.argv.slice(2) as [CaseName, string];
const send = (message: FromRun): void => void process.send?.(message);

process.on('disconnect', () => process.exit());
process.on('message', (message: ToRun) => {
  if (message.kind === 'cpu?') send({ kind: 'cpu', microseconds: cpuMicroseconds() });
});
const bench = await CASES[name].load();
await bench.serve(JSON.parse(meeting) as Meeting);
send({ kind: 'ready' });
