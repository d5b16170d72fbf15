import { CASES, type CaseName } from './case-table.js';
import type { Meeting } from './case.js';
import { runLoad, type Load } from './load.js';
import { cpuMicroseconds, type FromRun, type ToRun } from './process-message.js';

const [name, meeting, load] = process.argv.slice(2) as [CaseName, string, string];
const send = (message: FromRun): void => void process.send?.(message);
let marked = (): void => {};

process.on('disconnect', () => process.exit());
process.on('message', (message: ToRun) => {
  if (message.kind === 'cpu?') send({ kind: 'cpu', microseconds: cpuMicroseconds() });
  else marked();
});
const bench = await CASES[name].load();
const echo = await bench.connect(JSON.parse(meeting) as Meeting);
const result = await runLoad(echo, JSON.parse(load) as Load, (at) => {
  const done = new Promise<void>((resolve) => {
    marked = resolve;
  });
  send({ kind: 'mark', at });
  return done;
});
send({ kind: 'result', result });
