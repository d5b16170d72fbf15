// Many hosts of a grid in a process of their own, started when they are told. For meshes over several processes.
import { GridManager } from '../../dist/core.js';

const { locals, hosts, secret } = JSON.parse(process.argv[2]);
const logger = { log() {}, warn() {}, error() {} };
const grids = locals.map((local) => new GridManager({ local, hosts, auth: { secret }, drainTimeoutMs: 0, logger }));
for (const grid of grids) await grid.listen();
process.on('disconnect', () => process.exit(0));
process.on('message', async ({ delays, lastMs, withinMs }) => {
  try {
    for (const [index, grid] of grids.entries()) setTimeout(() => void grid.start(), delays[index]);
    // all of the mesh have begun by then: what is left of the time is for the connections
    await new Promise((resolve) => setTimeout(resolve, lastMs));
    const peers = grids.flatMap((grid) => grid.peers);
    await Promise.all(peers.map((peer) => peer.waitForConnect({ timeoutMs: withinMs })));
    const links = peers.filter(({ state }) => state === 'connected').length;
    const reconnects = grids.flatMap((grid) => grid.stats().peers).reduce((sum, peer) => sum + peer.reconnects, 0);
    process.send({ links, reconnects });
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.send({ ready: true });
