// A process whose event loop stood still must judge by what arrived, not by its clock: its timers fire before it reads.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { acceptHandshake, dialHandshake, type Connection } from '../../lib/connection/index.js';
import { GridManager } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import type { CallerStream, CallHandler, HandlerStream } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair, type MemorySocket } from '../../lib/testing/socket-pair.js';
import { AwakeTimer, Rota, Turn } from '../../lib/time/index.js';
import { A, B, connect, errorOf, handlers, ports, request } from '../connection/grid-end.js';
import { turn } from '../turn.js';
import { until } from '../until.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

class Thing extends Turn {
  constructor(readonly name: string) {
    super();
  }
}

async function turns(count = 8): Promise<void> {
  for (let made = 0; made < count; made++) await turn();
}

describe('the blocked end of a connection', () => {
  /** The clock of the end that is blocked, and that of the other one, which is not. */
  let clock: ManualClock;
  let elsewhere: ManualClock;
  let blocked: Connection;
  let other: Connection;
  let sockets: [MemorySocket, MemorySocket];
  let accepted: HandlerStream[];
  let kept: CallHandler;

  beforeEach(async () => {
    clock = new ManualClock();
    elsewhere = new ManualClock();
    accepted = [];
    kept = { inCapacity: 1, outCapacity: 1, onStream: (stream) => void accepted.push(stream) };
    const echo = handlers();
    const find = (id: number): CallHandler | undefined => (id === 70 ? kept : echo.find(id));
    sockets = socketPair();
    [blocked, other] = await connect(
      sockets,
      ports({ clock, handlers: { find } }),
      // its own view is not the question here: a silence of more than two intervals ends the connection rightly, and a
      // frame is written to memory when it is read, where a kernel would take it
      ports({
        clock: elsewhere,
        handlers: { find },
        intervals: { pingMs: 60 * MINUTE, writeTimeoutMs: 60 * MINUTE, streamSilenceMs: 60 * MINUTE },
      }),
    );
  });
  afterEach(async () => {
    blocked.close(1000, '');
    await until(() => sockets.every(({ closed }) => closed));
    expect([clock.timers, elsewhere.timers]).toEqual([0, 0]);
  });

  /** Both live on, and talk. */
  async function live(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SECOND) {
      for (const each of [clock, elsewhere]) each.advance(Math.min(left, SECOND));
      await turns();
    }
  }

  /** One works on, its frames wait; the other wakes, and its timers come first. */
  function block(ms: number): void {
    for (let left = ms; left > 0; left -= SECOND) elsewhere.advance(Math.min(left, SECOND));
    clock.oversleep(ms);
  }

  function stream(from: Connection): CallerStream {
    const init = { handler: 70, subroute: undefined, payload: undefined, timeoutMs: undefined };
    return from.mux.openStream({ ...init, input: true, inCapacity: 1, outCapacity: 1 });
  }

  it.each([600, 15 * SECOND, 21 * SECOND, 50 * SECOND, 5 * MINUTE])(
    'a loop that stands still for %i ms, again and again, ends neither connection nor streams',
    async (ms) => {
      const streams = [stream(blocked), stream(other)];
      for (let round = 0; round < 20; round++) {
        // whatever was due: each round begins at another phase of pings and ticks
        await live(1_700 + round * 1_300);
        block(ms);
        await turns();
        expect([blocked.closed, other.closed]).toEqual([undefined, undefined]);
        // a caller elsewhere may rightly give its stream up: past two of its intervals without a sign
        expect(streams.map(({ over }) => over)).toEqual([false, ms > 15 * SECOND && streams[1]!.over]);
      }
      expect(Buffer.from((await request(blocked, 60, Buffer.from('lives')))!).toString()).toBe('lives');
    },
  );

  it('a handler that slept hears the ping that waits before it gives its stream up', async () => {
    const call = stream(other);
    await live(14 * SECOND);
    for (let sleep = 0; sleep < 5; sleep++) {
      // both were stopped; the caller wakes first, and pings
      elsewhere.oversleep(70 * SECOND);
      elsewhere.advance(4 * SECOND);
      clock.oversleep(74 * SECOND);
      await turns();
      await live(SECOND);
    }
    expect([call.over, accepted[0]!.aborted]).toEqual([false, undefined]);
  });

  it('a peer that is really silent is still given up', async () => {
    const call = stream(blocked);
    await live(SECOND);
    sockets[0].stall();
    for (let round = 0; round < 9; round++) {
      block(15 * SECOND);
      await turns();
    }
    expect(blocked.closed).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    expect(call.over).toBe(true);
    other.close(1000, '');
  });

  it('a write that the peer took while this end slept is no stall', async () => {
    for (let round = 0; round < 8; round++) {
      const answer = request(blocked, 60, Buffer.alloc(2 << 20));
      block(15 * SECOND);
      await turns();
      expect((await answer)!.length).toBe(2 << 20);
    }
    expect(blocked.closed).toBeUndefined();
  });

  it('a deadline is a promise about time: what slept past it fails, and nothing else does', async () => {
    const late = errorOf(
      new Promise((resolve, reject) => {
        const init = { handler: 60, subroute: undefined, payload: undefined, timeoutMs: 10 * SECOND };
        blocked.mux.openRequest(init, { onResponse: resolve, onError: reject });
      }),
    );
    const early = request(blocked, 60, Buffer.from('a minute'));
    block(15 * SECOND);
    expect(await late).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: false });
    expect(Buffer.from((await early)!).toString()).toBe('a minute');
    expect(blocked.closed).toBeUndefined();
  });
});

describe('a handshake at a blocked loop', () => {
  it.each(['dialer', 'acceptor'])('the %s that slept reads the answer before it gives up', async (end) => {
    const clock = new ManualClock();
    const awake = new ManualClock();
    const [here, there] = socketPair();
    const of = (which: string): ManualClock => (which === end ? clock : awake);
    const made = Promise.all([
      dialHandshake(here, { local: A, remote: B, token: '' }, ports({ clock: of('dialer') })),
      acceptHandshake(there, { local: B, admit: async () => ({ accepted: true }) }, ports({ clock: of('acceptor') })),
    ]);
    clock.oversleep(15 * SECOND);
    const [dialed, accepted] = await made;
    expect([dialed.closed, accepted.closed]).toEqual([undefined, undefined]);
    dialed.close(1000, '');
    await until(() => here.closed && there.closed);
  });

  it('one that hangs is still given up', async () => {
    const clock = new ManualClock();
    const [here, there] = socketPair();
    const dialing = errorOf(dialHandshake(here, { local: A, remote: B, token: '' }, ports({ clock })));
    clock.advance(4_999);
    clock.advance(1);
    expect(await dialing).toMatchObject({ code: 'UNAVAILABLE', notSent: true });
    there.terminate();
    await until(() => here.closed && there.closed);
    expect(clock.timers).toBe(0);
  });

  it('a dial whose socket opened meanwhile is not given up, and no second one is made', async () => {
    const clock = new ManualClock();
    const hosts = ['http://a:9000', 'http://b:9000'];
    const [local, remote] = localDials(hosts[0]!, hosts[1]!) ? hosts : hosts.toReversed();
    const quiet = { log: () => {}, warn: () => {}, error: () => {} };
    const common = { hosts, auth: 'none' as const, clock, logger: quiet };
    const target = new GridManager({ ...common, local: remote! });
    let dials = 0;
    const dialer = new GridManager({
      ...common,
      local: local!,
      dialer: async () => {
        dials++;
        // opens in the turn in which the sleep ends
        await turn();
        const [here, there] = socketPair();
        target.incoming(there);
        return here;
      },
    });
    void target.start();
    void dialer.start();
    const connected = dialer.peer(remote!).waitForConnect();
    clock.oversleep(15 * SECOND);
    await connected;
    expect(dials).toBe(1);
    const closing = Promise.all([dialer.close(), target.close()]);
    await turns(20);
    clock.advance(MINUTE);
    await closing;
    expect(clock.timers).toBe(0);
  });
});

describe('timers at a blocked loop', () => {
  let clock: ManualClock;
  beforeEach(() => {
    clock = new ManualClock();
  });

  it('a wait for somebody else ends on time, and no sleep takes more than a part of it', () => {
    const fired: number[] = [];
    const wait = (): AwakeTimer => new AwakeTimer(clock, 100, () => fired.push(clock.now()));
    wait();
    clock.advance(100);
    wait();
    for (let sleep = 0; sleep < 3; sleep++) clock.oversleep(1_000);
    expect(fired).toEqual([100]);
    clock.advance(25);
    expect([fired, clock.timers]).toEqual([[100, 3_125], 0]);
    wait().cancel();
    expect(clock.timers).toBe(0);
  });

  it('a round that is much too late is put off once, and what is taken out meanwhile never falls due', () => {
    const due: string[] = [];
    const rota = new Rota<Thing>(clock, 100, ({ name }) => due.push(`${name}@${clock.now()}`));
    const [a, b] = [new Thing('a'), new Thing('b')];
    for (const item of [a, b]) rota.add(item);
    clock.oversleep(500);
    expect(due).toEqual([]);
    rota.remove(a);
    clock.oversleep(500);
    expect(due).toEqual(['b@1000']);
    rota.add(new Thing('c'));
    clock.advance(100);
    expect([due, clock.timers]).toEqual([['b@1000', 'c@1100'], 0]);
  });

  it('a long sleep is told however shortly before its end something fell due', () => {
    const due: string[] = [];
    const rota = new Rota<Thing>(clock, 100, ({ name }) => due.push(`${name}@${clock.now()}`));
    rota.add(new Thing('a'));
    clock.advance(10);
    clock.oversleep(91);
    expect(due).toEqual([]);
    clock.advance(25);
    expect([due, clock.timers]).toEqual([['a@126'], 0]);
  });
});
