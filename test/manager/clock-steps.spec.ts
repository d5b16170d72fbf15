import { afterEach, expect, it } from '@jest/globals';
import type { CallContext } from '../../lib/calls/index.js';
import { systemClock, type Clock } from '../../lib/time/index.js';
import { until } from '../until.js';
import { couple, nothingLeft, type Couple } from './couple.js';
import { rejectionOf } from './refusal.js';

const HOUR_MS = 3_600_000;
const PING_MS = 100;

let two: Couple;
afterEach(() => two.hood.close());

it('a wall clock that is set anew cuts nothing: ages and deadlines are counted on another', async () => {
  let off = 0;
  const clock: Clock = { ...systemClock, date: () => systemClock.date() + off };
  two = await couple(
    (grid) => {
      grid.handle(60, { kind: 'request' }, (payload) => payload);
      grid.handle(62, { kind: 'request' }, (_: unknown, { deadline }) => deadline!.getTime() - clock.date());
      grid.handle(65, { kind: 'stream', inCapacity: 1 }, async function* (_: unknown, { input }: CallContext) {
        for await (const item of input) yield item;
      });
    },
    { clock, intervals: { pingMs: PING_MS, streamPingMs: PING_MS, streamSilenceMs: 4 * PING_MS } },
  );
  const { dialer, acceptor } = two;
  const peer = dialer.peer(acceptor.local);
  const call = peer.stream<number, number>(65, undefined, { inCapacity: 1 });
  const echoed = call[Symbol.asyncIterator]();
  for (const step of [HOUR_MS, -2 * HOUR_MS, 24 * HOUR_MS, 0]) {
    off = step;
    const { framesIn } = dialer.stats().peers[0]!;
    // pings and pongs of both ends: more than the two intervals after which a silent peer is given up
    await until(() => dialer.stats().peers[0]!.framesIn >= framesIn + 12, 'pings go on');
    await call.write(step);
    expect(await echoed.next()).toEqual({ done: false, value: step });
    expect(await peer.ping()).toBeLessThan(HOUR_MS / 2);
    const left = await peer.request<number>(62, undefined, { timeoutMs: 30_000 });
    expect([left > 0, left <= 30_000]).toEqual([true, true]);
    expect(await peer.request(60, 'here', { deadline: new Date(clock.date() + 30_000) })).toBe('here');
    const over = await rejectionOf(peer.request(60, 'late', { deadline: new Date(clock.date() - 1) }));
    expect(over).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: true });
  }
  call.end();
  await call.done;
  expect(dialer.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
  await nothingLeft(dialer, acceptor);
});
