import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { GridManager, type Dialer } from 'nestjs-grid/core';
import { WebSocket } from 'ws';
import { ADDRESS, type Meeting } from '../api.js';
import { connectRaw, echoOf, gridOptions, originOf, startGrid } from '../apis/raw.js';
import type { BenchCase } from '../case.js';
import { compare } from '../comparison.js';
import { echoWork } from '../echo-work.js';
import { heapBytes } from '../heap.js';
import { Lanes } from '../lanes.js';
import type { Finding } from '../measurement.js';
import { named, scaled, type Run } from '../run.js';

const PEERS = 1_000;
/** Below the 128 handshakes that a host takes at a time. */
const DIALS_AT_A_TIME = 50;
/** A connection is pinged this often: what many of them cost shows only over such a time. */
const PING_MS = 10_000;
/** No dial is given up while the others have their turn. */
const intervals = { dialTimeoutMs: 60_000 };

/** Where a grid listens if it is not told otherwise. */
const ROUTE = '/grid/v1';

const socketUrl = (port: number, path: string): string => `ws://${ADDRESS}:${port}${path}`;

const route = (index: number): string => `/grid/peer-${index}`;

function names(run: Run): string[] {
  return Array.from({ length: scaled(run, PEERS) }, (_, index) => `http://peer-${index}:9000`);
}

/** A WebSocket over the loopback, as the grid itself would dial it if the names of the peers were real. */
function dialer(url: (peer: string) => Promise<string>): Dialer {
  const lanes = new Lanes(DIALS_AT_A_TIME);
  return async (peer, signal) => {
    const address = await url(peer);
    return await lanes.run(async () => {
      const socket = new WebSocket(address, { perMessageDeflate: false });
      await once(socket, 'open', { signal });
      return socket;
    });
  };
}

/**
 * Calls in a host that has many connected peers, and what one of those holds in its memory. The peers are grids of
 * their own in a third process; about half of them dial, the other half is dialed, over real sockets.
 */
export const idlePeers: BenchCase = {
  async serve(run, meeting) {
    const { promise: admitted, resolve: admit } = gate();
    const crowd = names(run);
    const routes = new Map(crowd.map((name, index) => [name, route(index)]));
    // the crowd is there when it is admitted; the client does not wait for that
    const url = async (peer: string): Promise<string> => {
      const path = routes.get(peer);
      if (path === undefined) return socketUrl(meeting.clientPort, ROUTE);
      await admitted;
      return socketUrl(meeting.crowdPort, path);
    };
    const options = gridOptions(meeting, meeting.serverPort);
    const before = await heapBytes();
    const grid = await startGrid({
      ...options,
      hosts: [...options.hosts, ...crowd],
      intervals,
      dialer: dialer(url),
    });
    const links = (await heapBytes()) - before;
    const connected = (): number => grid.peers.filter((peer) => peer.state === 'connected').length;
    return { heap: heapBytes, links: () => links, connected, admit: () => (admit(), 0) };
  },

  async measure(scene) {
    const count = scaled(scene.run, PEERS);
    const peer = await connectRaw(scene.meeting);
    const memory: Finding[] = [];
    const connected = async (total: number): Promise<void> => {
      while ((await scene.ask('connected')) !== total) await delay(20);
    };
    const findings = await compare(scene, await echoWork(echoOf(peer), scene.run.payload), {
      name: `${named(PEERS)} idle peers`,
      ...(scene.run.scale === 1 && { measureMs: PING_MS }),
      // what was counted before a host has peers cannot be counted again
      times: 1,
      async enter() {
        const before = await scene.ask('heap');
        await scene.crowd(true);
        await scene.ask('admit');
        await connected(count + 1);
        const bytes = (await scene.ask('heap')) - before + (await scene.ask('links'));
        memory.push({ variant: 'one idle peer, at the host', bytesPerUnit: bytes / count });
      },
      async leave() {
        await scene.crowd(false);
        await connected(1);
      },
    });
    return [...findings, ...memory];
  },

  async join(run, meeting: Meeting) {
    const local = originOf(meeting, meeting.serverPort);
    // each grid on it listens for itself
    const server = createServer().setMaxListeners(0);
    const dial = dialer(async () => socketUrl(meeting.serverPort, ROUTE));
    const logger = { log() {}, warn() {}, error: (text: string) => console.error(text) };
    for (const [index, name] of names(run).entries()) {
      const options = { local: name, hosts: [name, local], route: route(index), intervals, dialer: dial, logger };
      const grid = new GridManager({ ...options, auth: 'none' });
      grid.attach(server);
      void grid.start();
    }
    server.listen(meeting.crowdPort, ADDRESS);
    await once(server, 'listening');
  },
};

function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}
