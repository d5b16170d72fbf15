// One host of a grid as a process of its own, told by messages what to ask. For tests that stop and kill processes.
import { GridManager, isDisconnected } from '../../dist/core.js';

const { local, hosts, secret } = JSON.parse(process.argv[2]);
const grid = new GridManager({
  local,
  hosts,
  auth: { secret },
  intervals: { pingMs: 200, redialMs: 100 },
  drainTimeoutMs: 0,
  logger: { log() {}, warn() {}, error() {} },
});
grid.handle(60, { kind: 'request' }, (payload) => payload);
await grid.listen();
await grid.start();
process.on('disconnect', () => process.exit(0));
process.on('message', async ({ id, ask, peer }) => {
  try {
    if (ask === 'connect') await grid.peer(peer).waitForConnect({ timeoutMs: 20_000 });
    const started = performance.now();
    const answer = ask === 'echo' ? await grid.peer(peer).request(60, 'x', { timeoutMs: 60_000 }) : 'connected';
    process.send({ id, answer, tookMs: performance.now() - started });
  } catch (error) {
    process.send({ id, error: String(error), disconnected: isDisconnected(error) });
  }
});
process.send({ id: 0, answer: 'ready' });
