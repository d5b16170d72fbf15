import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, defineRequest, defineStream, msgpack, type CallContext, type Codec } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

/** Cases of the Go peers' own suite, retold for values: requests and streams with codecs. */

interface TestRequest {
  num: number;
  text: string;
}
interface TestResponse {
  num: number;
  text: string;
  embedded: TestRequest;
}

const Typed = defineRequest<TestRequest, TestResponse>({ id: 78, name: 'typed', codec: msgpack() });
const TypedError = defineRequest<TestRequest, TestResponse>({ id: 79, name: 'typed.error', codec: msgpack() });
const Maps = defineRequest<Record<string, string> | null, Record<string, string> | null>({
  id: 80,
  name: 'maps',
  codec: msgpack(),
});
const TypedStream = defineStream<TestRequest, TestRequest, TestResponse>({
  id: 81,
  name: 'typed.stream',
  codec: msgpack(),
  inCapacity: 1,
  outCapacity: 1,
});

let line: GridLine;
beforeEach(() => {
  line = gridLine({}, { codec: msgpack() });
});
afterEach(async () => {
  await line.pair.settle();
  expect([line.pair.a.outgoing, line.pair.b.incoming, line.pair.b.running, line.clock.timers]).toEqual([0, 0, 0, 0]);
});

describe('single requests', () => {
  beforeEach(() => {
    line.handle(60, (payload) => payload, { codec: msgpack() });
    line.handle(
      61,
      (payload) => {
        throw new GridError('UNKNOWN', String(payload));
      },
      { codec: msgpack() },
    );
  });

  it('P03 an echo of 1 MiB comes back as it was', async () => {
    const huge = '?'.repeat(1 << 20);
    expect((await line.caller.request(60, huge)) === huge).toBe(true);
  });

  it('P04 an error text of 1 KiB comes back whole', async () => {
    const text = '!'.repeat(1024);
    expect(await failure(line.caller.request(61, text))).toMatchObject({
      code: 'UNKNOWN',
      message: text,
      remote: true,
    });
  });

  it('P06 typed request and answer, and the error of a typed handler', async () => {
    line.handle(
      78,
      (payload) => {
        const request = payload as TestRequest;
        return { num: request.num + 1, text: request.text, embedded: request };
      },
      { codec: msgpack() },
    );
    line.handle(
      79,
      (payload) => {
        throw new GridError('UNKNOWN', (payload as TestRequest).text);
      },
      { codec: msgpack() },
    );
    const request = { num: 1, text: 'hello' };
    expect(await line.caller.request(Typed, request)).toEqual({ num: 2, text: 'hello', embedded: request });
    expect(await failure(line.caller.request(TypedError, request))).toMatchObject({ message: 'hello' });
  });

  it('P07 maps both ways, whatever caller and handler do with theirs', async () => {
    line.handle(
      80,
      (payload) => {
        const map = payload as Record<string, string>;
        const answer = { ...map };
        for (const key of Object.keys(map)) delete map[key];
        return answer;
      },
      { codec: msgpack() },
    );
    const map = { a: '1', b: '2' };
    expect(await line.caller.request(Maps, map)).toEqual({ a: '1', b: '2' });
    expect(map).toEqual({ a: '1', b: '2' });
  });
});

describe('payload types', () => {
  it.each([
    ['P40 a map with two entries', { foo: 'bar', fizz: 'buzz' }],
    ['P41 no map', null],
    ['P42 twelve bytes', Buffer.from('hello world!')],
    ['P43 bytes of which there are none', Buffer.alloc(0)],
  ])('%s: nothing is lost and nothing left over', (_name, value) => {
    const codec = msgpack();
    const encoded = codec.encode(value);
    expect(codec.decode(encoded)).toEqual(value);
    expect(() => codec.decode(Buffer.concat([encoded, Buffer.from([0xc0])]))).toThrow('left over');
  });

  it.each<[string, Codec, unknown[]]>([
    ['P41 no map', msgpack(), [undefined, null, {}]],
    ['P43 no bytes', bytes(), [undefined, Buffer.alloc(0)]],
    ['P43 no bytes among values', msgpack(), [undefined, null, Buffer.alloc(0)]],
  ])('%s is not an empty one: each answer is what was given, over the wire', async (_name, codec, values) => {
    let index = 0;
    line.handle(70, () => values[index++], { codec });
    const answers: unknown[] = [];
    for (const _ of values) answers.push(await line.caller.request(70, undefined, { codec }));
    expect(answers).toStrictEqual(values);
  });
});

describe('streams', () => {
  it('P16 input that waits at a gate holds up no request; then all of it comes back in order', async () => {
    const gate = signalled();
    line.handle(60, (payload) => payload, { codec: msgpack() });
    line.handle(
      65,
      async function* (_payload: unknown, context: CallContext) {
        await gate.promise;
        let want = 0;
        for await (const item of context.input) {
          expect(item).toBe(want++);
          yield item;
        }
      },
      { codec: msgpack(), inCapacity: 5, outCapacity: 5 },
    );
    const call = line.caller.stream(65, undefined, { input: Array.from({ length: 100 }, (_, i) => i) });
    await line.pair.settle();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => line.caller.request(60, i)));
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => i));
    gate.resolve();
    expect(await collect(call)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it.each([
    ['P17 typed stream', undefined],
    ['P18 typed stream under a subroute', 'subroute/1'],
  ])('%s: ten requests, ten answers', async (_name, subroute) => {
    let route: string | undefined;
    line.handle(
      subroute === undefined ? 81 : { id: 81, subroute },
      async function* (payload: unknown, context: CallContext) {
        route = context.subroute;
        const opening = payload as TestRequest;
        for await (const item of context.input as AsyncIterable<TestRequest>) {
          yield { num: item.num + opening.num, text: opening.text + item.text, embedded: item };
        }
      },
      { codec: msgpack(), inCapacity: 1, outCapacity: 1 },
    );
    const caller = subroute === undefined ? line.caller : line.caller.subroute('subroute', '1');
    const call = caller.stream(TypedStream, { num: 1, text: 'hello' });
    const sending = (async () => {
      for (let num = 0; num < 10; num++) await call.write({ num, text: 'hello' });
      call.end();
    })();
    const answers = (await collect(call)) as TestResponse[];
    await sending;
    expect(answers.map(({ num }) => num)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(answers.every(({ text }) => text === 'hellohello')).toBe(true);
    expect(route).toBe(subroute);
  });

  it('P21 a two-way stream whose peer falls silent ends with an error at both ends', async () => {
    line = gridLine({ intervals: { streamPingMs: 100, streamSilenceMs: 400 } }, { codec: msgpack() });
    const aborted = signalled<unknown>();
    line.handle(
      67,
      (_payload, context) =>
        new Promise((_, reject) => {
          context.signal.addEventListener('abort', () => {
            aborted.resolve(context.signal.reason);
            reject(context.signal.reason as Error);
          });
        }),
      { inCapacity: 1 },
    );
    const call = line.caller.stream(67, undefined, { inCapacity: 1 });
    const ended = failure(collect(call));
    await line.pair.settle();
    line.pair.bToA.hold();
    for (let i = 0; i < 5; i++) {
      line.clock.advance(100);
      await line.pair.settle();
    }
    expect(await ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    expect(await aborted.promise).toMatchObject({ code: 'CANCELLED' });
    line.pair.bToA.release();
  });
});
