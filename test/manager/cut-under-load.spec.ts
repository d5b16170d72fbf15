import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type CallContext } from '../../lib/calls/index.js';
import { isDisconnected } from '../../lib/errors/index.js';
import type { GridManager } from '../../lib/manager/index.js';
import { FULL, volume } from '../scale.js';
import { until } from '../until.js';
import { ClientSockets } from './client-sockets.js';
import { couple, nothingLeft, openCalls, running, type Couple } from './couple.js';
import { allConnected } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';
import { rejectionOf } from './refusal.js';

/** B10, the stress test of a connection: it is cut while a great many calls wait for a peer that is held. */

const HANG_MS = volume(60_000, 120_000);
const LONG_MS = 3_600_000;
/** Two full queues of a Go peer are 131,070. */
const COUNTS = FULL ? [100, 10_000, 131_070] : [100, 10_000];

let two: Couple;
let dialed: ClientSockets;
beforeEach(() => {
  dialed = new ClientSockets();
});
afterEach(async () => {
  dialed.stop();
  await two.hood.close();
});

/** Two hosts whose handlers 60 and 63 answer when `open` is called, or are aborted. */
async function held(): Promise<{ from: GridManager; to: GridManager; open(): void }> {
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const prepare = (grid: GridManager): void => {
    grid.handle(60, { kind: 'request', codec: bytes() }, () => gate);
    grid.handle(61, { kind: 'request', codec: bytes() }, (payload) => payload);
    grid.handle(63, { kind: 'stream', codec: bytes() }, async (_: unknown, { signal }: CallContext) => {
      if (!signal.aborted) await Promise.race([gate, once(signal, 'abort')]);
    });
  };
  two = await couple(prepare, {
    limits: { runningRequests: 200_000, openStreams: 200_000 },
    // nothing but the cut may end a call, however long the machine takes
    intervals: { redialMs: 20, pingMs: LONG_MS, writeTimeoutMs: LONG_MS, requestTimeoutMs: LONG_MS },
    drainTimeoutMs: 100,
  });
  return { from: two.dialer, to: two.acceptor, open };
}

describe.each(COUNTS)('B10 a connection that is cut under %i calls', (count) => {
  it.each([
    ['requests', 'reader', 'acceptor'],
    ['requests', 'handlers', 'dialer'],
    ['streams', 'reader', 'dialer'],
    ['streams', 'handlers', 'acceptor'],
  ])(
    'of %s ends each once, leaves nothing and comes back; held: the %s, killed: the socket of the %s',
    async (kind, what, end) => {
      const { from, to, open } = await held();
      const peer = from.peer(to.local);
      const [socket] = two.houses[1].incoming;
      if (what === 'reader') socket!.pause();
      const ends: unknown[] = [];
      const ended = (outcome: unknown): void => void ends.push(outcome);
      for (let i = 0; i < count; i++) {
        const call = kind === 'requests' ? peer.request(60) : peer.stream(63).done;
        call.then(ended, ended);
      }
      expect(openCalls(from)).toBe(count);
      if (what === 'handlers') await until(() => running(to) === count, 'all run', HANG_MS);
      (end === 'dialer' ? dialed.to(to.local)[0]! : socket!).destroy();
      await until(() => ends.length >= count, 'every call has ended', HANG_MS);
      await allConnected(from, to);
      expect(Buffer.from((await peer.request(61, Buffer.from('back'))) as Uint8Array).toString()).toBe('back');
      open();
      await nothingLeft(from, to);
      expect(ends.length).toBe(count);
      expect(ends.every(isDisconnected)).toBe(true);
      expect(from.stats().peers[0]).toMatchObject({ reconnects: 1, queued: 0, queuedBytes: 0 });
    },
    3 * HANG_MS,
  );
});

describe('B10 B21 a shutdown under load', () => {
  it('does not wait for a held reader, empties the queue, ends all calls and waits, and lets nobody in', async () => {
    const { from, to, open } = await held();
    const peer = from.peer(to.local);
    const [socket] = two.houses[1].incoming;
    socket!.pause();
    const pending = Array.from({ length: 1_000 }, () => rejectionOf(peer.request(60)));
    await from.close();
    expect((await Promise.all(pending)).every(isDisconnected)).toBe(true);
    expect(await rejectionOf(peer.waitForConnect())).toMatchObject({ reason: 'closed' });
    expect([openCalls(from), from.stats().peers[0]?.queued ?? 0]).toEqual([0, 0]);
    socket!.resume();
    await until(() => to.peer(from.local).state !== 'connected', 'the other end knows');
    const waiting = rejectionOf(to.peer(from.local).waitForConnect({ timeoutMs: LONG_MS }));
    await to.close();
    expect(await waiting).toMatchObject({ code: 'UNAVAILABLE', reason: 'closed' });
    expect((await RawDialer.refused(to.local, 'x')).status).not.toBe(101);
    // what a handler does that heeds no abort is not undone by the end of its grid
    open();
    await nothingLeft(from, to);
  });
});
