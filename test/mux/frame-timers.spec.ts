// While the messages of one frame are received no timer is set: most calls begin and end in it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { init, stream } from './streams.js';

describe('the timers of calls that a frame brings', () => {
  let clock: ManualClock;
  let pair: MuxPair;
  let aborted: string[];
  let ended: (() => void)[];

  /** What `b` receives in these is one frame. */
  const frame = async (): Promise<number> => {
    const { timers } = clock;
    pair.b.beginFrame(clock.now());
    await pair.settle();
    const set = clock.timers - timers;
    pair.b.endFrame();
    return set;
  };
  const watched = (call: IncomingRequest | HandlerStream): void => {
    call.onAbort = (error: GridError) => aborted.push(`${error.code}@${clock.now()}`);
  };
  const nobody = { onResponse: () => {}, onError: () => {} };

  beforeEach(() => {
    clock = new ManualClock();
    aborted = [];
    ended = [];
    const handlersB = {
      61: {
        inCapacity: 0,
        outCapacity: 1,
        onRequest: (call: IncomingRequest) => {
          watched(call);
          ended.push(() => call.respond(undefined));
        },
      },
      62: stream((call) => {
        watched(call);
        ended.push(() => call.output.end());
      }, 0, 1),
    };
    pair = muxPair({ clock, handlersB, intervals: { streamSilenceMs: 30_000 } });
  });
  afterEach(async () => {
    pair.cut();
    for (const end of ended) end();
    await pair.settle();
    expect([pair.b.running, clock.timers]).toEqual([0, 0]);
  });

  it('a request that is still running when the frame is over has its deadline', async () => {
    pair.a.openRequest({ ...init(61), timeoutMs: 200 }, nobody);
    expect(await frame()).toBe(0);
    clock.advance(200);
    expect(aborted).toEqual(['DEADLINE_EXCEEDED@200']);
  });

  it('a stream has its deadline, or must be pinged', async () => {
    pair.a.openStream({ ...init(62), timeoutMs: 200 });
    expect(await frame()).toBe(0);
    clock.advance(200);
    expect(aborted).toEqual(['DEADLINE_EXCEEDED@200']);
    const silent = pair.a.openStream(init(62));
    expect(await frame()).toBe(0);
    // its pings are lost
    pair.aToB.hold();
    clock.advance(60_000);
    expect(aborted[1]).toMatch(/^UNAVAILABLE@/);
    silent.output.discard();
  });

  it('nothing is left of a connection that ends in the middle of the frame', async () => {
    pair.a.openRequest({ ...init(61), timeoutMs: 200 }, nobody);
    pair.a.openStream(init(62));
    pair.b.beginFrame(clock.now());
    await pair.settle();
    pair.cut();
    expect([aborted, clock.timers]).toEqual([['UNAVAILABLE@0', 'UNAVAILABLE@0'], 0]);
  });

  it('a stream that comes as the answer is pinged once it outlives the frame, in place of its deadline', async () => {
    const streams: CallerStream[] = [];
    const idle = clock.timers;
    pair.a.openRequest(init(62), { ...nobody, onStream: (answer) => streams.push(answer) });
    pair.a.beginFrame(clock.now());
    // the other end's timers are its own affair
    expect([await frame(), streams.length]).toEqual([0, 1]);
    pair.a.endFrame();
    const [answer] = streams;
    const { delivered } = pair.aToB;
    const before = delivered.length;
    clock.advance(15_000);
    await pair.settle();
    expect(delivered.slice(before)).toMatchObject([{ op: Op.Ping }]);
    answer!.cancel(new GridError('CANCELLED', 'enough'));
    await pair.settle();
    expect(clock.timers).toBe(idle);
  });

  it('one that ends in the frame never had a timer', async () => {
    pair.a.openRequest({ ...init(61), timeoutMs: 200 }, nobody);
    pair.a.openStream({ ...init(62), timeoutMs: 200 });
    const before = clock.timers;
    pair.b.beginFrame(clock.now());
    await pair.settle();
    for (const end of ended.splice(0)) end();
    pair.b.endFrame();
    expect(clock.timers).toBe(before);
    clock.advance(1_000);
    expect(aborted).toEqual([]);
  });
});
