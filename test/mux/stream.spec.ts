import { afterEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Flag, Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair, type MuxPairOptions } from './mux-pair.js';
import { brief, bytes, text } from './solo-mux.js';
import { init, numbers, pump, readAll, stream } from './streams.js';

let pair: MuxPair;
let clock: ManualClock;
const open = (options: MuxPairOptions): MuxPair => {
  clock = new ManualClock();
  pair = muxPair({ clock, ...options });
  return pair;
};
const idle = async () => {
  await pair.settle();
  expect([pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming]).toEqual([0, 0, 0, 0]);
  expect(pair.a.running + pair.b.running).toBe(0);
  expect(clock.timers).toBe(0);
};

describe('streams between two muxes', () => {
  afterEach(idle);

  it('P10 echoes each input, one credit at a time, in both directions, and ends cleanly', async () => {
    const echo = (call: HandlerStream) => {
      const go = () => {
        while (call.output.ready) {
          const item = call.input.take();
          if (!item) break;
          call.output.send(bytes(`${text(call.payload)}${text(item)}`));
        }
        if (call.input.end && call.input.available === 0) call.output.end();
      };
      call.input.onReady = call.output.onReady = go;
      go();
    };
    open({ handlersB: { 65: stream(echo, 1, 1) } });
    const call = pair.a.openStream(init(65, { payload: 'opening ', input: true }));
    const read: string[] = [];
    let next = 0;
    const go = () => {
      for (let item = call.output.take(); item; item = call.output.take()) read.push(text(item)!);
      if (call.input.ready && next === read.length) {
        if (next < 11) call.input.send(bytes(String(next++)));
        else call.input.end();
      }
    };
    call.input.onReady = call.output.onReady = go;
    for (let i = 0; i < 30; i++) await pair.settle();
    expect(read).toEqual(numbers(11).map((n) => `opening ${n}`));
    expect(call.output.end).toEqual({ error: undefined });
  });

  it('tells who reads of the end, also where what feeds the input throws at it', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 65: stream((call) => (handler = call), 1) } });
    const call = pair.a.openStream(init(65, { input: true }));
    await pair.settle();
    const over: unknown[] = [];
    const read = readAll(call.output);
    call.onOver = (error) => over.push(error);
    call.input.onReady = () => {
      throw new Error('of the application');
    };
    const error = new GridError('CANCELLED', 'mine');
    expect(() => call.cancel(error)).toThrow('of the application');
    expect([read.end, over]).toEqual([{ error }, [error]]);
    await pair.settle();
    handler!.output.end();
  });

  it('never sends more than the capacity ahead of the consumer, and other calls go on (P15)', async () => {
    let progress = { sent: 0 };
    open({
      handlersB: {
        63: stream((call) => (progress = pump(call, numbers(100))), 0, 4),
        60: { onRequest: (call) => call.respond(call.payload), inCapacity: 0, outCapacity: 1 },
      },
    });
    const call = pair.a.openStream(init(63));
    await pair.settle();
    expect(progress.sent).toBe(4);
    let answered = 0;
    for (let i = 0; i < 100; i++) {
      pair.a.openRequest(
        { handler: 60, subroute: undefined, payload: undefined, timeoutMs: undefined },
        {
          onResponse: () => answered++,
          onError: () => {},
        },
      );
    }
    await pair.settle();
    expect(answered).toBe(100);
    expect(call.output.available).toBe(4);
    call.output.take();
    await pair.settle();
    expect(progress.sent).toBe(5);
    const read = readAll(call.output);
    for (let i = 0; i < 200 && !read.end; i++) await pair.settle();
    expect(read.items).toEqual(numbers(100).slice(1));
  });

  it('H5 the end waits for a credit; cancelling instead leaves nothing', async () => {
    open({ handlersB: { 63: stream((call) => pump(call, ['only']), 0, 1) } });
    const first = pair.a.openStream(init(63));
    const second = pair.a.openStream(init(63));
    await pair.settle();
    expect(first.output.end).toBeUndefined();
    expect(text(first.output.take())).toBe('only');
    await pair.settle();
    expect(first.output.end).toEqual({ error: undefined });
    second.cancel(new GridError('CANCELLED', 'enough'));
    expect(second.output.available).toBe(1);
    expect(second.output.end?.error?.code).toBe('CANCELLED');
  });

  it('H5 the end of input goes out without a credit', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 65: stream((call) => (handler = call), 1, 1) } });
    const call = pair.a.openStream(init(65, { input: true }));
    await pair.settle();
    call.input.send(bytes('x'));
    expect(call.input.ready).toBe(false);
    call.input.end();
    await pair.settle();
    expect(handler!.input.end).toEqual({ error: undefined });
    expect(text(handler!.input.take())).toBe('x');
    handler!.output.end();
    await pair.settle();
    expect(call.over).toBe(true);
  });

  it.each(['no input', 'input'])(
    'P11 P12 cancel aborts the handler, ends the output with the error (%s)',
    async (kind) => {
      const aborts: GridError[] = [];
      let handler: HandlerStream | undefined;
      open({
        handlersB: {
          67: stream(
            (call) => {
              handler = call;
              call.onAbort = (error) => aborts.push(error);
            },
            kind === 'input' ? 1 : 0,
          ),
        },
      });
      const call = pair.a.openStream(init(67, { input: kind === 'input' }));
      const overs: unknown[] = [];
      call.onOver = (error) => overs.push(error?.code);
      await pair.settle();
      call.cancel(new GridError('CANCELLED', 'context canceled'));
      call.cancel(new GridError('ABORTED', 'twice'));
      await pair.settle();
      expect(aborts).toMatchObject([{ code: 'CANCELLED' }]);
      expect(call.output.end?.error?.code).toBe('CANCELLED');
      expect(overs).toEqual(['CANCELLED']);
      expect(handler!.output.closed).toMatchObject({ code: 'CANCELLED' });
      if (kind === 'input') expect(handler!.input.end?.error?.code).toBe('CANCELLED');
      expect(pair.b.running).toBe(1);
      handler!.output.end();
    },
  );

  it('cancelled by the error of another call that was not sent: this one was', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 69: stream((call) => (handler = call)) } });
    const call = pair.a.openStream(init(69));
    await pair.settle();
    call.cancel(new GridError('UNAVAILABLE', 'of another', { notSent: true, reason: 'not-connected' }));
    expect(call.output.end?.error).toMatchObject({ code: 'UNAVAILABLE', message: 'of another', notSent: false });
    await pair.settle();
    handler!.output.end();
  });

  it('P13 cancel gets through when the input is full', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 69: stream((call) => (handler = call), 2) } });
    const call = pair.a.openStream(init(69, { input: true }));
    await pair.settle();
    while (call.input.ready) call.input.send(bytes('x'));
    expect(call.input.credits).toBe(0);
    call.cancel(new GridError('CANCELLED', 'context canceled'));
    await pair.settle();
    expect(handler!.aborted?.code).toBe('CANCELLED');
    expect(readAll(call.output)).toMatchObject({ items: [], end: { error: { code: 'CANCELLED' } } });
    // what was sent before is read, and then that it was cut
    expect(readAll(handler!.input)).toMatchObject({ items: ['x', 'x'], end: { error: { code: 'CANCELLED' } } });
    handler!.output.end();
  });

  it.each([
    ['one way', 0],
    ['two ways', 1],
  ])('P14 a deadline ends the call at both ends, %s', async (_, inCapacity) => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 67: stream((call) => (handler = call), inCapacity) } });
    const call = pair.a.openStream(init(67, { timeoutMs: 50, input: inCapacity > 0 }));
    await pair.settle();
    pair.aToB.hold();
    pair.bToA.hold();
    clock.advance(49);
    expect([call.over, handler!.aborted]).toEqual([false, undefined]);
    clock.advance(1);
    expect(call.output.end?.error?.code).toBe('DEADLINE_EXCEEDED');
    expect(handler!.aborted?.code).toBe('DEADLINE_EXCEEDED');
    if (inCapacity > 0) expect(handler!.input.end?.error?.code).toBe('DEADLINE_EXCEEDED');
    pair.aToB.release();
    pair.bToA.release();
    await pair.settle();
    expect(pair.bToA.delivered.map((m) => [m.op, text(m.payload)])).toContainEqual([
      Op.MuxServerMsg,
      'context deadline exceeded',
    ]);
    handler!.output.fail(new GridError('ABORTED', 'late'));
  });

  it('B17 H11 a lost connection is an error at both ends, after the items that came', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 65: stream((call) => (handler = call), 8, 8) } });
    const call = pair.a.openStream(init(65, { input: true }));
    await pair.settle();
    call.input.send(bytes('in'));
    handler!.output.send(bytes('out'));
    await pair.settle();
    pair.cut();
    const read = readAll(call.output);
    expect(read).toMatchObject({ items: ['out'], end: { error: { code: 'UNAVAILABLE', reason: 'disconnected' } } });
    const input = readAll(handler!.input);
    expect(input).toMatchObject({ items: ['in'], end: { error: { reason: 'disconnected' } } });
    handler!.output.end();
  });

  it('B36 a handler may end without reading its input', async () => {
    open({ handlersB: { 65: stream((call) => call.output.end(), 2) } });
    const call = pair.a.openStream(init(65, { input: true }));
    const read = readAll(call.output);
    await pair.settle();
    expect(read.end).toEqual({ error: undefined });
    expect(call.input.ready).toBe(false);
    expect(call.input.closed).toBe('ended');
  });

  it('B37 1,000 streams each way end with the connection', async () => {
    const handlers: HandlerStream[] = [];
    const hold = stream((call) => handlers.push(call), 1, 1);
    open({ handlersA: { 67: hold }, handlersB: { 67: hold } });
    const calls: CallerStream[] = [];
    for (let i = 0; i < 1000; i++) calls.push(pair.a.openStream(init(67)), pair.b.openStream(init(67)));
    await pair.settle();
    expect(handlers).toHaveLength(2000);
    pair.cut();
    expect(calls.every((call) => call.output.end?.error)).toBe(true);
    expect(handlers.every((call) => call.aborted)).toBe(true);
    for (const handler of handlers) handler.output.end();
  });

  it('sending waits while the connection is congested, and goes on when it has drained', async () => {
    let progress = { sent: 0 };
    open({ handlersB: { 63: stream((call) => (progress = pump(call, numbers(5))), 0, 10) } });
    const call = pair.a.openStream(init(63));
    await pair.settle();
    expect(progress.sent).toBe(5);
    const held = pair.a.openStream(init(63));
    pair.bToA.congested = true;
    await pair.settle();
    // a new call is refused while the answers of others wait to be written
    expect(held.output.end?.error).toMatchObject({ notSent: true, remote: true });
    pair.bToA.drain();
    readAll(call.output);
    const again = pair.a.openStream(init(63));
    await pair.settle();
    expect(progress.sent).toBe(5);
    readAll(again.output);
  });

  it('an input over the cap ends the call and throws at the writer', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 65: stream((call) => (handler = call), 4) }, limits: { messageBytes: 10 } });
    const call = pair.a.openStream(init(65, { input: true }));
    await pair.settle();
    expect(() => call.input.send(new Uint8Array(11))).toThrow('limits.messageBytes');
    await pair.settle();
    expect(call.output.end?.error?.code).toBe('OUT_OF_RANGE');
    expect(handler!.aborted).toBeDefined();
    handler!.output.end();
  });

  it('an output over the cap ends the stream with an error for the caller', async () => {
    let thrown: unknown;
    const onStream = (call: HandlerStream) => {
      try {
        call.output.send(new Uint8Array(11));
      } catch (error) {
        thrown = error;
        call.output.fail(error as GridError);
      }
    };
    open({ handlersB: { 63: stream(onStream) }, limits: { messageBytes: 10 } });
    const call = pair.a.openStream(init(63));
    await pair.settle();
    expect(thrown).toMatchObject({ code: 'OUT_OF_RANGE' });
    expect(call.output.end?.error).toMatchObject({ remote: true, message: expect.stringContaining('11 bytes') });
  });

  it('a handler that takes no input makes write fail, tells the end, and the call goes on', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 63: stream((call) => (handler = call), 0, 2) } });
    const call = pair.a.openStream(init(63, { input: true, inCapacity: 5 }));
    await pair.settle();
    expect(call.input.closed).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(handler!.input.end).toEqual({ error: undefined });
    pump(handler!, ['still', 'here']);
    const read = readAll(call.output);
    await pair.settle();
    expect(read).toEqual({ items: ['still', 'here'], end: { error: undefined } });
  });

  it('the capacities that the handler announces win over those of the caller', async () => {
    let handler: HandlerStream | undefined;
    open({ handlersB: { 65: stream((call) => (handler = call), 3) } });
    const call = pair.a.openStream(init(65, { input: true, inCapacity: 50 }));
    await pair.settle();
    expect(call.input.credits).toBe(3);
    call.cancel(new GridError('CANCELLED', ''));
    await pair.settle();
    handler!.output.end();
  });

  it('without the extension the capacities are those of the caller, and the ack is empty', async () => {
    open({ handlersB: { 65: stream((call) => call.input.discard(), 3) }, extensions: [] });
    const call = pair.a.openStream(init(65, { input: true, inCapacity: 3 }));
    await pair.settle();
    expect(pair.bToA.delivered).toMatchObject([{ op: Op.AckMux, payload: undefined, flags: Flag.Crc }]);
    expect(call.input.credits).toBe(3);
    pair.cut();
    expect(pair.b.running).toBe(1);
    // the handler of this test never ends by itself
    pair = muxPair({ clock });
  });

  it('past openStreams a stream is refused, and counted until its handler has really ended', async () => {
    const handlers: HandlerStream[] = [];
    open({ handlersB: { 67: stream((call) => handlers.push(call)) }, limits: { openStreams: 1 } });
    const first = pair.a.openStream(init(67));
    await pair.settle();
    first.cancel(new GridError('CANCELLED', ''));
    const second = pair.a.openStream(init(67));
    await pair.settle();
    expect(second.output.end?.error).toMatchObject({ message: expect.stringContaining('openStreams'), notSent: true });
    handlers[0]!.output.end();
    const third = pair.a.openStream(init(67));
    await pair.settle();
    expect(third.over).toBe(false);
    third.cancel(new GridError('CANCELLED', ''));
    await pair.settle();
    handlers[1]!.output.end();
  });

  it('H13 every stream ends with a goodbye that the caller ignores', async () => {
    open({ handlersB: { 63: stream((call) => pump(call, ['x']), 0, 2) } });
    readAll(pair.a.openStream(init(63)).output);
    await pair.settle();
    expect(brief(pair.bToA.delivered)).toEqual([
      'AckMux#0',
      'MuxServerMsg#1',
      'MuxServerMsg#2',
      'DisconnectClientMux#0',
    ]);
    expect(brief(pair.aToB.delivered)).toEqual(['ConnectMux#0', 'UnblockSrvMux#1']);
  });
});
