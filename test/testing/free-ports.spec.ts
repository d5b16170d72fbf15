import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { freeHosts, freePorts } from '../../lib/testing/index.js';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await once(server.close(), 'close');
});

async function take(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  await once(server.listen(port, '127.0.0.1'), 'listening');
}

test('gives neighbours that can be listened on, below the ports of outgoing connections', async () => {
  const ports = await freePorts(4);
  expect(ports).toEqual([0, 1, 2, 3].map((step) => ports[0]! + step));
  expect(Math.max(...ports)).toBeLessThan(32_768);
  for (const port of ports) await take(port);
});

test('steps over a port that somebody took meanwhile, and gives none twice', async () => {
  const [before] = await freePorts(1);
  await take(before! + 2);
  const seen = new Set<number>();
  for (let round = 0; round < 20; round++) for (const port of await freePorts(2)) seen.add(port);
  expect(seen.size).toBe(40);
  expect(seen).not.toContain(before);
  expect(seen).not.toContain(before! + 2);
});

test('names hosts of the loopback', async () => {
  const host = /^http:\/\/127\.0\.0\.1:(2\d{4}|3[01]\d{3})$/;
  expect(await freeHosts(1)).toEqual([expect.stringMatching(host)]);
});

test('says when there are no such ports', async () => {
  await expect(freePorts(5_000)).rejects.toThrow(/found no 5000 free ports from \d+ to \d+/);
});
