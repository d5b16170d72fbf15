// The doors that need no Nest: see pack.spec.ts.
import { GridError, GridManager } from 'nestjs-grid/core';
import { ManualClock } from 'nestjs-grid/testing';

const hosts = process.argv.slice(2);
const [first, second] = hosts.map(
  (local) => new GridManager({ local, hosts, auth: 'none', logger: { log() {}, warn() {}, error() {} } }),
) as [GridManager, GridManager];
second.handle(60, { kind: 'request' }, (text) => `${String(text)} without Nest`);
for (const grid of [first, second]) {
  await grid.listen();
  await grid.start();
}
await first.peer(second.local).waitForConnect({ timeoutMs: 10_000 });
const echo = await first.peer(second.local).request(60, 'hello');
await Promise.all([first.close(), second.close()]);
const clock = new ManualClock();
const before = clock.now();
clock.advance(5);
console.log(JSON.stringify({ echo, advanced: clock.now() - before, error: new GridError('UNKNOWN', 'x').toString() }));
