import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CallContext } from '../../lib/calls/index.js';
import { isDisconnected } from '../../lib/errors/index.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { ClientSockets } from './client-sockets.js';
import { couple, nothingLeft, openCalls, running, type Couple } from './couple.js';
import { allConnected } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';

/** Streams whose socket goes, and those that end while it stays. */

let two: Couple;
afterEach(() => two.hood.close());

const cut = (): void => two.houses.forEach((house) => house.killIncoming());

describe('a stream whose socket is killed', () => {
  it.each(['dialer', 'acceptor'] as const)(
    'B17 of 100 messages of which 50 were sent, ends with an error at the caller: the %s',
    async (caller) => {
      let sent = 0;
      two = await couple((grid) => {
        grid.handle(63, { kind: 'stream', outCapacity: 7 }, async function* (_: unknown, { signal }: CallContext) {
          for (let i = 0; i < 50; i++) {
            sent++;
            yield i;
          }
          await once(signal, 'abort');
        });
      });
      const [from, to] = caller === 'dialer' ? [two.dialer, two.acceptor] : [two.acceptor, two.dialer];
      const got: number[] = [];
      const reading = (async () => {
        for await (const item of from.peer(to.local).stream<number>(63)) {
          got.push(item);
          if (got.length === 50) cut();
        }
      })();
      expect(isDisconnected(await rejectionOf(reading))).toBe(true);
      expect([sent, got]).toEqual([50, Array.from({ length: 50 }, (_, i) => i)]);
      await nothingLeft(from, to);
    },
  );

  it.each(['dialer', 'acceptor'] as const)(
    'H11 after 50 of 100 messages of input: it throws in the handler, the caller is the %s',
    async (caller) => {
      const read: unknown[] = [];
      let ended: unknown;
      two = await couple((grid) => {
        grid.handle(64, { kind: 'stream', inCapacity: 4 }, async (_: unknown, { input }: CallContext) => {
          try {
            for await (const item of input) read.push(item);
            ended = 'as if it were complete';
          } catch (error) {
            ended = error;
            throw error;
          }
        });
      });
      const [from, to] = caller === 'dialer' ? [two.dialer, two.acceptor] : [two.acceptor, two.dialer];
      const call = from.peer(to.local).stream<never, number>(64, undefined, { inCapacity: 4 });
      const done = rejectionOf(call.done);
      for (let i = 0; i < 50; i++) await call.write(i);
      await until(() => read.length === 50, 'what was sent has come');
      cut();
      await until(() => ended !== undefined, 'the input has ended');
      expect(isDisconnected(ended)).toBe(true);
      expect(isDisconnected(await done)).toBe(true);
      await nothingLeft(from, to);
    },
  );

  it('B37 ends 1,000 others in each direction with it, and every handler is told', async () => {
    const count = 1_000;
    const told = new Map<string, number>();
    two = await couple((grid) => {
      grid.handle(67, { kind: 'stream' }, async (_: unknown, { signal }: CallContext) => {
        await once(signal, 'abort');
        if (isDisconnected(signal.reason)) told.set(grid.local, (told.get(grid.local) ?? 0) + 1);
      });
    });
    const { dialer, acceptor } = two;
    const ends = [
      [dialer, acceptor],
      [acceptor, dialer],
    ].flatMap(([from, to]) => {
      return Array.from({ length: count }, () => rejectionOf(from!.peer(to!.local).stream(67).done));
    });
    await until(() => running(dialer) + running(acceptor) === 2 * count, 'all run');
    expect([openCalls(dialer), openCalls(acceptor)]).toEqual([2 * count, 2 * count]);
    cut();
    expect((await Promise.all(ends)).every(isDisconnected)).toBe(true);
    await nothingLeft(dialer, acceptor);
    expect([told.get(dialer.local), told.get(acceptor.local)]).toEqual([count, count]);
  });
});

describe('a socket that goes at either end', () => {
  let dialed: ClientSockets;
  beforeEach(() => {
    dialed = new ClientSockets();
  });
  afterEach(() => dialed.stop());

  const ways: Record<string, (socket: Socket) => unknown> = {
    killed: (socket) => socket.destroy(),
    reset: (socket) => socket.resetAndDestroy(),
    'half-closed': (socket) => socket.end(),
  };

  it.each(Object.keys(ways).flatMap((way) => [[way, 'dialer'] as const, [way, 'acceptor'] as const]))(
    'H10 %s at the %s, is noticed at both: calls of both end, and it is dialed again',
    async (way, end) => {
      const aborted: string[] = [];
      two = await couple((grid) => {
        grid.handle(60, { kind: 'request' }, async (_: unknown, { signal }: CallContext) => {
          await once(signal, 'abort');
          aborted.push(grid.local);
        });
      });
      const { dialer, acceptor, houses } = two;
      const pending = [dialer.peer(acceptor.local).request(60), acceptor.peer(dialer.local).request(60)];
      const ends = pending.map(rejectionOf);
      await until(() => running(dialer) + running(acceptor) === 2, 'both run');
      const own = dialed.to(acceptor.local);
      expect([own.length, houses[1].incoming.length]).toEqual([1, 1]);
      ways[way]!(end === 'dialer' ? own[0]! : houses[1].incoming[0]!);
      for (const error of await Promise.all(ends)) expect(isDisconnected(error)).toBe(true);
      await until(() => aborted.length === 2, 'both handlers were told');
      await allConnected(dialer, acceptor);
      await until(() => dialer.stats().peers[0]!.reconnects === 1, 'it is a new connection');
      await nothingLeft(dialer, acceptor);
    },
  );
});

describe('a stream whose handler returns at once', () => {
  it('B16 delivers all of its buffered messages before its end, however slowly they are taken', async () => {
    two = await couple((grid) => {
      for (const capacity of [1, 10, 100, 1_000]) {
        const id = 60 + Math.log10(capacity);
        grid.handle(id, { kind: 'stream', outCapacity: capacity }, async function* (count: number) {
          for (let i = 0; i < count; i++) yield i;
        });
      }
    });
    const { dialer, acceptor } = two;
    const ends: [typeof dialer, typeof dialer][] = [
      [dialer, acceptor],
      [acceptor, dialer],
    ];
    let turns = 0;
    for (let round = 0; round < volume(1, 50); round++) {
      for (const capacity of [1, 10, 100, 1_000]) {
        for (const count of [1, 10, 100, 1_000]) {
          const [from, to] = ends[turns++ % 2]!;
          let got = 0;
          for await (const item of from.peer(to.local).stream<number>(60 + Math.log10(capacity), count)) {
            expect(item).toBe(got++);
            if (got % 97 === 1) await turn();
          }
          expect(got).toBe(count);
        }
      }
    }
    await nothingLeft(dialer, acceptor);
  }, 300_000);
});
