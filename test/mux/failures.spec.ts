import { describe, expect, it } from '@jest/globals';
import { GridError, isDisconnected, TEXT } from '../../lib/errors/index.js';
import type { CallerStream, CallHandler, HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { MuxIds } from '../../lib/mux/mux-ids.js';
import { silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Flag, Op } from '../../lib/wire/index.js';
import { collectGarbage } from '../garbage.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';
import { muxPair, type MuxPairOptions } from './mux-pair.js';
import { brief, bytes, SoloMux, text } from './solo-mux.js';

/** The failures that real use of this design found, as far as they can happen in a mux. */

const echo: CallHandler = { onRequest: (call) => call.respond(call.payload), inCapacity: 0, outCapacity: 1 };
const stream = (onStream: (call: HandlerStream) => void, inCapacity = 0, outCapacity = 1): CallHandler => ({
  onStream,
  inCapacity,
  outCapacity,
});
const request = (handler: number, payload?: string) => ({
  handler,
  subroute: undefined,
  payload: payload === undefined ? undefined : bytes(payload),
  timeoutMs: undefined,
});
const opening = (handler: number, input = false) => ({
  ...request(handler),
  input,
  inCapacity: undefined,
  outCapacity: undefined,
});

/** One request as a promise of what its listener was told. */
function ask(
  pair: { a: { openRequest: (init: never, listener: never) => unknown } },
  handler: number,
  payload?: string,
) {
  return new Promise<string | GridError>((resolve) => {
    pair.a.openRequest(
      request(handler, payload) as never,
      {
        onResponse: (answer: Uint8Array | undefined) => resolve(text(answer) ?? ''),
        onError: resolve,
      } as never,
    );
  });
}

function drain(call: CallerStream): { items: string[]; end: GridError | 'clean' | undefined } {
  const read: { items: string[]; end: GridError | 'clean' | undefined } = { items: [], end: undefined };
  const pump = (): void => {
    for (let item = call.output.take(); item; item = call.output.take()) read.items.push(text(item)!);
    if (call.output.end) read.end = call.output.end.error ?? 'clean';
  };
  call.output.onReady = pump;
  pump();
  return read;
}

async function settled(
  options: MuxPairOptions,
  use: (pair: ReturnType<typeof muxPair>, clock: ManualClock) => Promise<void>,
) {
  const clock = new ManualClock();
  const pair = muxPair({ clock, ...options });
  await use(pair, clock);
  await pair.settle();
  expect([pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming, clock.timers]).toEqual([0, 0, 0, 0, 0]);
}

describe('what hung', () => {
  it('B01 an ack for an unknown call, with a full queue, delays no end: a cut fails all calls at once', async () => {
    await settled({ handlersB: { 67: stream(() => {}, 1) } }, async (pair) => {
      pair.aToB.hold();
      const calls = Array.from({ length: 1000 }, () => pair.a.openStream(opening(67)));
      pair.a.receive({
        muxId: 1e15,
        seq: 0,
        deadlineMs: 0,
        handler: 0,
        op: Op.AckMux,
        flags: Flag.Crc,
        payload: undefined,
      });
      pair.aToB.congested = true;
      pair.cut();
      expect(calls.every((call) => isDisconnected(call.output.end?.error))).toBe(true);
    });
  });

  it('B02 100 streams that wait to send all end when the link is cut', async () => {
    await settled({ handlersB: { 69: stream((call) => call.input.discard(), 1) } }, async (pair) => {
      const calls = Array.from({ length: 100 }, () => pair.a.openStream(opening(69, true)));
      await pair.settle();
      pair.aToB.congested = true;
      const waiting = calls.map(
        (call) => new Promise((resolve) => (call.input.onReady = () => resolve(call.input.closed))),
      );
      expect(calls.some((call) => call.input.ready)).toBe(false);
      pair.cut();
      expect((await Promise.all(waiting)).every(isDisconnected)).toBe(true);
    });
  });

  it('B03 P19 a consumer that does not read is cancelled: its handler ends, no other, the error is last', async () => {
    let handler: HandlerStream | undefined;
    const push = (call: HandlerStream): void => {
      handler = call;
      let sent = 0;
      const go = (): void => {
        while (sent < 100 && call.output.ready) call.output.send(bytes(String(sent++)));
      };
      call.output.onReady = go;
      go();
    };
    await settled({ handlersB: { 63: stream(push), 60: echo } }, async (pair) => {
      const call = pair.a.openStream(opening(63));
      await pair.settle();
      expect(call.output.available).toBe(1);
      call.cancel(new GridError('CANCELLED', TEXT.cancelled));
      await pair.settle();
      expect(handler!.aborted?.code).toBe('CANCELLED');
      expect(pair.a.outgoing).toBe(0);
      expect(await ask(pair, 60, 'x')).toBe('x');
      expect(drain(call)).toMatchObject({ items: ['0'], end: { code: 'CANCELLED' } });
      handler!.output.end();
    });
  });

  it('B06 1,000 streams to a side that cannot write: it reads on, and acknowledges each before its data', async () => {
    const one = (call: HandlerStream): void => {
      call.output.send(bytes('x'));
      call.output.end();
    };
    const slow: IncomingRequest[] = [];
    const later: CallHandler = { ...echo, onRequest: (call) => slow.push(call) };
    await settled({ handlersA: { 60: later }, handlersB: { 63: stream(one, 0, 2) } }, async (pair) => {
      let answer: unknown;
      pair.b.openRequest(request(60, 'back'), {
        onResponse: (payload) => (answer = text(payload)),
        onError: (error) => (answer = error),
      });
      await pair.settle();
      pair.bToA.hold();
      const reads = Array.from({ length: 1000 }, () => drain(pair.a.openStream(opening(63))));
      await pair.settle();
      expect(pair.aToB.delivered).toHaveLength(1000);
      // nothing of it can be written yet, and what comes behind the openings is still read
      slow[0]!.respond(slow[0]!.payload);
      await pair.settle();
      expect(answer).toBe('back');
      expect(pair.bToA.delivered.map(({ op }) => op)).toEqual([Op.Request]);
      pair.bToA.release();
      await pair.settle();
      expect(reads.every(({ items, end }) => items.length === 1 && end === 'clean')).toBe(true);
      const seen = new Set();
      for (const message of pair.bToA.delivered) {
        if (message.op === Op.AckMux) seen.add(message.muxId);
        if (message.op === Op.MuxServerMsg) expect(seen.has(message.muxId)).toBe(true);
      }
    });
  });

  it.each([
    ['caller', 'bToA'],
    ['handler', 'aToB'],
  ] as const)('B12 pings go on while both ends are blocked; silence ends it at the %s first', async (_, way) => {
    let handler: HandlerStream | undefined;
    const options = {
      intervals: { streamPingMs: 100, streamSilenceMs: 400 },
      handlersB: { 67: stream((call) => (handler = call), 1) },
    };
    await settled(options, async (pair, clock) => {
      const call = pair.a.openStream(opening(67, true));
      for (let i = 0; i < 10; i++) {
        await pair.settle();
        clock.advance(100);
      }
      expect(call.over).toBe(false);
      pair[way].hold();
      for (let i = 0; i < 5; i++) {
        clock.advance(100);
        await pair.settle();
      }
      expect([call.over, handler!.aborted?.code]).toEqual([true, way === 'bToA' ? 'CANCELLED' : 'UNAVAILABLE']);
      handler!.output.end();
      pair.cut();
    });
  });
});

it('a stream whose ping waits behind other messages is not silent: the peer was not asked', async () => {
  const options = { intervals: { streamPingMs: 100, streamSilenceMs: 10_000 }, handlersB: { 67: stream(() => {}, 1) } };
  await settled(options, async (pair, clock) => {
    const call = pair.a.openStream(opening(67, true));
    await pair.settle();
    pair.aToB.hold();
    clock.advance(1_000);
    expect(call.over).toBe(false);
    pair.aToB.release();
    await pair.settle();
    clock.advance(100);
    expect(call.over).toBe(false);
    pair.cut();
  });
});

describe('what was lost or wrong', () => {
  it('B18 1,000 streams that end with a text of their own, among others that churn buffers', async () => {
    const fail = stream((call) => call.output.fail(new GridError('UNKNOWN', `error of ${text(call.payload)}`)));
    await settled({ handlersB: { 66: fail, 60: echo } }, async (pair) => {
      const calls = Array.from({ length: 1000 }, (_, i) => {
        void ask(pair, 60, 'y'.repeat(i));
        return pair.a.openStream({ ...opening(66), payload: bytes(String(i)) });
      });
      await pair.settle();
      expect(calls.map((call) => call.output.end?.error?.message)).toEqual(calls.map((_, i) => `error of ${i}`));
    });
  });

  it('B20 one cached answer given to 1,000 callers reaches each as it is, whatever they do with it', async () => {
    const cached = bytes('cached');
    const handler = { ...echo, onRequest: (call: IncomingRequest) => call.respond(cached) };
    await settled({ handlersB: { 60: handler } }, async (pair) => {
      const answers: string[] = [];
      for (let i = 0; i < 1000; i++) {
        pair.a.openRequest(request(60), {
          onResponse: (answer) => {
            answers.push(text(answer)!);
            answer!.fill(0);
          },
          onError: () => {},
        });
      }
      await pair.settle();
      expect(answers).toEqual(Array.from({ length: 1000 }, () => 'cached'));
      expect(text(cached)).toBe('cached');
    });
  });
});

describe('what broke the protocol', () => {
  it('B23 an unknown handler and an unknown subroute are told at once, by request and by stream', async () => {
    await settled({ handlersB: { 60: echo } }, async (pair) => {
      const routed = pair.a.openStream({ ...opening(60), subroute: new Uint8Array(32).fill(1) });
      const unknown = pair.a.openStream(opening(99));
      expect(await ask(pair, 99)).toMatchObject({ code: 'UNIMPLEMENTED', message: 'Invalid Handler for type: 99' });
      expect(unknown.output.end?.error).toMatchObject({ code: 'UNIMPLEMENTED' });
      const errors: GridError[] = [];
      const subroute = new Uint8Array(32).fill(2);
      pair.a.openRequest(
        { ...request(60), subroute },
        { onResponse: () => {}, onError: (error) => errors.push(error) },
      );
      await pair.settle();
      expect(errors).toMatchObject([
        { code: 'UNIMPLEMENTED', message: `Invalid Handler for type: ${'02'.repeat(32)}` },
      ]);
      // each refusal has the number and the muxId of what it refuses
      const openings = pair.aToB.delivered.map(({ muxId, seq }) => [muxId, seq]);
      expect(pair.bToA.delivered.map(({ muxId, seq }) => [muxId, seq])).toEqual(openings);
      expect(routed.output.end?.error?.message).toBe(`Invalid Handler for type: ${'01'.repeat(32)}`);
      expect(await ask(pair, 60, 'x')).toBe('x');
    });
  });

  it('B24 the subroute flag stands on the opening message alone', async () => {
    // a subroute id begins with the ID of its handler
    const subrouteOf = (id: number): Uint8Array => new Uint8Array(32).fill(0xaa).fill(id, 0, 1);
    const routed = (id: number): string => `${id}:${Buffer.from(subrouteOf(id)).toString('hex')}`;
    const twoWay = stream(
      (call) => {
        const go = (): void => {
          while (call.output.ready && call.input.available > 0) call.output.send(call.input.take()!);
          if (call.input.end && call.input.available === 0) call.output.end();
        };
        call.input.onReady = call.output.onReady = go;
      },
      2,
      2,
    );
    await settled({ handlersB: { [routed(65)]: twoWay, [routed(60)]: echo } }, async (pair) => {
      const listener = { onResponse: () => {}, onError: () => {} };
      pair.a.openRequest({ ...request(60, 'x'), subroute: subrouteOf(60) }, listener);
      const call = pair.a.openStream({ ...opening(65, true), subroute: subrouteOf(65) });
      const read = drain(call);
      await pair.settle();
      call.input.send(bytes('1'));
      call.input.send(bytes('2'));
      call.input.end();
      await pair.settle();
      expect(read).toEqual({ items: ['1', '2'], end: 'clean' });
      const flagged = [...pair.aToB.delivered, ...pair.bToA.delivered].filter(({ flags }) => flags & Flag.Subroute);
      expect(brief(flagged)).toEqual(['Request#0', 'ConnectMux#0']);
      for (const message of flagged) expect(message.subroute).toHaveLength(32);
    });
  });

  it(`B27 ${volume(1_000, 10_000)} streams that end at random phases of pings leave no timer, no word`, async () => {
    const random = seeded(27);
    const handlers: HandlerStream[] = [];
    const dropped: string[] = [];
    const observer = { ...silentObserver, dropped: (what: string) => dropped.push(what) };
    const options = {
      handlersB: { 63: stream((call) => handlers.push(call)) },
      intervals: { streamPingMs: 5, streamSilenceMs: 1e6 },
      observerA: observer,
      observerB: observer,
    };
    await settled(options, async (pair, clock) => {
      let clean = 0;
      const count = volume(1_000, 10_000);
      for (let i = 0; i < count || handlers.length > 0; i++) {
        if (i < count) {
          const call = pair.a.openStream(opening(63));
          call.onOver = (error) => (clean += error === undefined ? 1 : 0);
          drain(call);
        }
        await pair.settle();
        clock.advance(random() * 5);
        if (random() < 0.5 || i >= count || handlers.length > 10) {
          handlers.splice(Math.floor(random() * handlers.length), 1)[0]?.output.end();
        }
        pair.aToB.delivered.length = pair.bToA.delivered.length = 0;
      }
      await pair.settle();
      expect([pair.aborted, clean]).toEqual([undefined, count]);
      // a ping that met nobody is counted, and that is all
      expect(dropped.filter((what) => what !== 'unknown-call')).toEqual([]);
    });
  });

  it('B28 a cut at every moment of a call: exactly one end, and it is "disconnected"', async () => {
    for (let step = 0; step < 6; step++) {
      const pair = muxPair({ handlersB: { 60: { ...echo, onRequest: () => {} }, 67: stream(() => {}) } });
      const ends: unknown[] = [];
      for (const link of [pair.aToB, pair.bToA]) link.hold();
      if (step === 0) pair.cut();
      try {
        pair.a.openRequest(request(60), {
          onResponse: () => ends.push('answered'),
          onError: (error) => ends.push(error),
        });
        const call = pair.a.openStream(opening(67));
        call.onOver = (error) => ends.push(error);
      } catch (error) {
        ends.push(error, error);
      }
      if (step === 1) pair.cut();
      pair.aToB.step(step === 2 ? 1 : 2);
      if (step <= 3) pair.cut();
      pair.bToA.step(5);
      pair.cut();
      if (step === 0) expect(ends).toHaveLength(2);
      expect(ends).toHaveLength(2);
      expect(ends.every(isDisconnected)).toBe(true);
    }
  });

  it('B29 ids near 2^53 wrap to 1, are never 0 and never one in use', () => {
    const ids = new MuxIds(0, 5);
    const inUse = new Set<number>([2, 3]);
    expect(Array.from({ length: 6 }, () => ids.next({ has: (id) => inUse.has(Number(id)) }))).toEqual([
      1, 4, 5, 1, 4, 5,
    ]);
    const nearMost = new MuxIds(0, Number.MAX_SAFE_INTEGER);
    (nearMost as unknown as { last: number }).last = Number.MAX_SAFE_INTEGER - 3;
    const seen = Array.from({ length: 10 }, () => nearMost.next({ has: () => false }));
    expect(new Set(seen.map(String)).size).toBe(10);
    expect(seen.every((id) => Number.isSafeInteger(id) && id > 0)).toBe(true);
    expect(new MuxIds(0.999_999).next({ has: () => false })).toBeLessThan(2 ** 32);
  });

  it('H1 ids begin somewhere by chance, at each end for itself: two ends hardly ever use the same', () => {
    const firstOf = (chance: number): number => {
      const solo = new SoloMux({ chance });
      solo.mux.openRequest(request(60), { onResponse: () => {}, onError: () => {} });
      return Number(solo.sent[0]!.muxId);
    };
    expect([0, 0.25, 0.5].map(firstOf)).toEqual([1, 2 ** 28 + 1, 2 ** 29 + 1]);
    expect(firstOf(1 - Number.EPSILON)).toBeLessThanOrEqual(2 ** 30);
  });

  it('H7 a caller that believes in more capacity than there is ends that stream alone', () => {
    const calls: HandlerStream[] = [];
    const solo = new SoloMux({ handlers: { 65: stream((call) => calls.push(call), 1), 60: echo }, extensions: [] });
    solo.receive(Op.ConnectMux, 7, { handler: 65 });
    for (let seq = 1; seq <= 5; seq++) solo.receive(Op.MuxClientMsg, 7, { seq, payload: bytes('x') });
    solo.receive(Op.Request, 8, { handler: 60, payload: bytes('y') });
    expect(solo.aborted).toBeUndefined();
    expect(calls[0]!.aborted?.message).toBe('handler blocked');
    expect(solo.take().some(({ op, payload }) => op === Op.Response && text(payload) === 'y')).toBe(true);
  });
});

describe('handlers that misbehave', () => {
  it(`B32 a handler fails while its call ends otherwise: one of two errors, ${volume(500, 10_000)} times`, async () => {
    const mine = new GridError('ABORTED', 'mine');
    const others = ['link', 'cancel', 'deadline'] as const;
    for (let round = 0; round < volume(500, 10_000); round++) {
      const other = others[round % others.length]!;
      let handler: HandlerStream | undefined;
      const held: IncomingRequest[] = [];
      const clock = new ManualClock();
      const fails: CallHandler = { ...echo, onRequest: (call) => held.push(call) };
      const pair = muxPair({ clock, handlersB: { 60: fails, 66: stream((call) => (handler = call)) } });
      const ends: unknown[] = [];
      const call = pair.a.openStream({ ...opening(66), timeoutMs: 50 });
      call.onOver = (error) => ends.push(error?.message);
      const asked = pair.a.openRequest(
        { ...request(60), timeoutMs: 50 },
        { onResponse: () => ends.push('answered'), onError: ({ message }) => ends.push(message) },
      );
      await pair.settle();
      const fail = (): void => {
        handler!.output.fail(mine);
        held[0]!.fail(mine);
      };
      const end = (): void => {
        if (other === 'link') pair.cut();
        if (other === 'deadline') clock.advance(50);
        if (other !== 'cancel') return;
        const cancel = new GridError('CANCELLED', TEXT.cancelled);
        call.cancel(cancel);
        asked.cancel(cancel);
      };
      for (const act of round % 2 === 0 ? [fail, end] : [end, fail]) act();
      drain(call);
      await pair.settle();
      const texts = { link: TEXT.disconnected, cancel: TEXT.cancelled, deadline: TEXT.deadline }[other];
      expect(ends).toHaveLength(2);
      for (const text of ends) expect(['mine', texts]).toContain(text);
      expect([pair.a.outgoing, pair.b.incoming, pair.b.running, clock.timers]).toEqual([0, 0, 0, 0]);
    }
  }, 300_000);

  it('B33 what is sent after the end is refused, and the caller sees one clean end', async () => {
    let handler: HandlerStream | undefined;
    await settled({ handlersB: { 63: stream((call) => (handler = call), 0, 4) } }, async (pair) => {
      const read = drain(pair.a.openStream(opening(63)));
      await pair.settle();
      handler!.output.send(bytes('x'));
      handler!.output.end();
      expect(handler!.output.ready).toBe(false);
      expect(() => handler!.output.send(bytes('late'))).toThrow('without a credit');
      handler!.output.fail(new GridError('ABORTED', 'late'));
      await pair.settle();
      expect(read).toEqual({ items: ['x'], end: 'clean' });
    });
  });

  it('B34 a handler that writes for ever is told at once that its caller has gone', async () => {
    let handler: HandlerStream | undefined;
    await settled({ handlersB: { 63: stream((call) => (handler = call)) } }, async (pair) => {
      const call = pair.a.openStream(opening(63));
      await pair.settle();
      handler!.output.send(bytes('x'));
      const told = new Promise((resolve) => (handler!.output.onReady = () => resolve(handler!.output.closed)));
      await pair.settle();
      call.output.take();
      call.cancel(new GridError('CANCELLED', TEXT.cancelled));
      await pair.settle();
      expect(handler!.output.closed).toMatchObject({ code: 'CANCELLED' });
      await told;
      handler!.output.end();
    });
  });

  it(`B35 ${volume(100_000, 1_000_000)} requests with an hour to go leave no timer, entry or memory`, async () => {
    await settled({ handlersB: { 60: echo } }, async (pair, clock) => {
      let answered = 0;
      const rounds = volume(100, 1_000);
      let before = 0;
      for (let round = 0; round < rounds; round++) {
        if (round === 10) before = heapAfterGc();
        for (let i = 0; i < 1000; i++) {
          pair.a.openRequest(
            { ...request(60), timeoutMs: 3_600_000 },
            { onResponse: () => answered++, onError: () => {} },
          );
        }
        await pair.settle();
        pair.aToB.delivered.length = pair.bToA.delivered.length = 0;
      }
      expect(answered).toBe(rounds * 1_000);
      expect(clock.timers).toBe(0);
      // 16 bytes for each request would be more
      expect(heapAfterGc() - before).toBeLessThan((rounds - 10) * 1_000 * 16);
    });
  }, 300_000);
});

/** Bytes of objects that are still in use. */
function heapAfterGc(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
