import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/** Below what systems give to outgoing connections, so that a port stays free while its node is down. */
const LOWEST = 15_000;
const HIGHEST = 20_000;
const MOST_TRIES = 1_000;

/** Ports that are free at this moment: `base` and the ones after it, or any. */
export async function freePorts(count: number, base: number | undefined): Promise<number[]> {
  const ports: number[] = [];
  if (base !== undefined) {
    for (let port = base; port < base + count; port++) {
      if (!(await isFree(port))) throw new Error(`port ${port} is taken: choose another --port`);
      ports.push(port);
    }
    return ports;
  }
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === MOST_TRIES) throw new Error(`found no ${count} free ports from ${LOWEST} to ${HIGHEST}`);
    const port = randomInt(LOWEST, HIGHEST);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, LOOPBACK, () => probe.close(() => resolve(true)));
  });
}
