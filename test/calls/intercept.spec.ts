import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import type { AnyCallInterceptor, CallInterceptor, OutgoingCall } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { collect, failure, gridLine, HANDLER, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

async function* count(to = Infinity): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

describe('interceptors', () => {
  it('wrap each kind of call, the first one outermost', async () => {
    const seen: string[] = [];
    const named =
      (name: string): CallInterceptor =>
      (call, next) => {
        seen.push(`${name} ${call.kind} ${call.pattern}`);
        return next({ ...call, payload: `${String(call.payload)}${name}` });
      };
    line = gridLine({}, { interceptors: [named('a'), named('b')] });
    line.handle(60, (payload) => payload);
    await expect(line.caller.request(60, 'x')).resolves.toBe('xab');
    await expect(collect(line.caller.stream(60, 'x'))).resolves.toEqual(['xab']);
    await expect(firstValueFrom(line.caller.send(60, 'x'))).resolves.toBe('xab');
    await line.caller.emit(60, 'x');
    expect(seen).toEqual([
      'a request 60',
      'b request 60',
      'a stream 60',
      'b stream 60',
      'a send 60',
      'b send 60',
      'a event 60',
      'b event 60',
    ]);
  });

  it('may retry what was not sent', async () => {
    let tries = 0;
    const retry: CallInterceptor = {
      async request(call, next) {
        for (;;) {
          try {
            return await next(call);
          } catch (error) {
            if (!GridError.is(error) || !error.notSent || ++tries > 2) throw error;
          }
        }
      },
    };
    line = gridLine({}, { interceptors: [retry] });
    const error = await failure(line.caller.request(60));
    expect(error.code).toBe('UNIMPLEMENTED');
    expect(tries).toBe(3);
    line.handle(60, () => count(2));
    await expect(collect(line.caller.stream(60))).resolves.toEqual([0, 1]);
  });

  it('that throws fails the call', async () => {
    line = gridLine(
      {},
      {
        interceptors: [
          () => {
            throw new GridError('UNAUTHENTICATED', 'no');
          },
        ],
      },
    );
    expect((await failure(line.caller.request(60))).code).toBe('UNAUTHENTICATED');
    expect((await failure(firstValueFrom(line.caller.send(60)))).code).toBe('UNAUTHENTICATED');
    expect(() => line.caller.stream(60)).toThrow('no');
    const failed = signalled<unknown>();
    line.caller.send(60).subscribe({ error: failed.resolve });
    expect(await failed.promise).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('that forgets its return, or gives a Promise where there is none, fails the call and says so', async () => {
    const forgets = ((call, next: (call: unknown) => unknown) => void next(call)) as AnyCallInterceptor;
    const waits = (async (call: OutgoingCall, next: (call: unknown) => unknown) =>
      await next(call)) as unknown as AnyCallInterceptor;
    const facts = { code: 'INTERNAL', notSent: false, peer: HANDLER, pattern: '60' };
    const gave = (what: string, kind: string): string =>
      `an interceptor gave ${what} for a ${kind}; it must return what next(call) gives`;
    for (const interceptor of [forgets, { request: forgets, stream: forgets, send: forgets }] as CallInterceptor[]) {
      line = gridLine({}, { interceptors: [interceptor] });
      line.handle(60, () => 'done');
      line.handle(61, () => {}, { kind: 'event' });
      expect(await failure(line.caller.request(60))).toMatchObject({ ...facts, message: gave('undefined', 'request') });
      expect((await failure(line.caller.emit(61))).message).toBe(gave('undefined', 'request'));
      expect(() => line.caller.stream(60)).toThrow(gave('undefined', 'stream'));
      expect((await failure(firstValueFrom(line.caller.send(60)))).message).toBe(gave('undefined', 'send'));
    }
    line = gridLine({}, { interceptors: [waits] });
    line.handle(60, () => 'done');
    expect(await line.caller.request(60)).toBe('done');
    expect(() => line.caller.stream(60)).toThrow(gave('a Promise', 'stream'));
    expect((await failure(firstValueFrom(line.caller.send(60)))).message).toBe(gave('a Promise', 'send'));
  });

  it('that fails a stream leaves nothing open: neither its input nor what next() has opened', async () => {
    const refuse: CallInterceptor = () => {
      throw new GridError('UNAUTHENTICATED', 'no');
    };
    const opens: CallInterceptor = (call, next) => {
      next(call);
      return refuse(call, next);
    };
    const waits = (async (call: OutgoingCall, next: (call: unknown) => unknown) => next(call)) as AnyCallInterceptor;
    for (const interceptor of [refuse, opens, waits]) {
      line = gridLine({}, { interceptors: [interceptor] });
      line.handle(60, () => count(), { kind: 'stream', inCapacity: 1 });
      const input = new Readable({ objectMode: true, read() {} });
      expect(() => line.caller.stream(60, undefined, { input })).toThrow(GridError);
      await line.pair.settle();
      expect([input.destroyed, line.pair.a.outgoing, line.pair.b.running]).toEqual([true, 0, 0]);
    }
  });
});
