import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below what systems give to outgoing connections (Linux 32,768, others 49,152), or one of those could take it first.
 */
const LOWEST = 20_000;
const BLOCKS = 12;
const BLOCK = 1_000;

let next: number | undefined;

/**
 * Neighbouring TCP ports that nobody listens on, for hosts that a test starts a little later.
 *
 * Other than port 0, they stay free until then: they lie below the ports of outgoing connections, every test runner's
 * worker has a block of its own, and the block is walked through before a port comes again.
 *
 * @throws Error when the block has no such ports
 */
export async function freePorts(count: number): Promise<number[]> {
  // workers of one run are neighbours; another run on the same machine begins elsewhere, for its parent is another
  const block = LOWEST + ((process.ppid + workerNumber()) % BLOCKS) * BLOCK;
  next ??= randomInt(BLOCK);
  const ports: number[] = [];
  for (let tries = 0; tries < BLOCK * 2; tries++) {
    if (ports.length === count) return ports;
    const port = block + next;
    next = (next + 1) % BLOCK;
    // neighbours only: a range of hosts needs them, and a wrapped or taken one begins anew
    if (ports.length > 0 && port !== ports.at(-1)! + 1) ports.length = 0;
    if (await isFree(port)) ports.push(port);
    else ports.length = 0;
  }
  throw new Error(`found no ${count} free ports from ${block} to ${block + BLOCK - 1}`);
}

/** {@link freePorts} as the names of hosts: `http://127.0.0.1:PORT`. */
export async function freeHosts(count: number): Promise<string[]> {
  return (await freePorts(count)).map((port) => `http://127.0.0.1:${port}`);
}

function workerNumber(): number {
  return Number(process.env.JEST_WORKER_ID ?? process.env.VITEST_POOL_ID ?? process.pid) || 0;
}

/** Free on every address: servers listen on the loopback, or on all. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}
