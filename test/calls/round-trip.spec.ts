// What a value is on the other side of a call: payload, answer, messages of both directions, for each codec.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, json, msgpack, text, type Codec } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { collectGarbage } from '../garbage.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;
/** Own keys of what every object inherits, before anything hostile arrives. */
const inherited = Object.getOwnPropertyNames(Object.prototype);

beforeEach(() => {
  line = gridLine();
  line.handle(60, (payload) => payload);
});
afterEach(() => {
  line.pair.cut();
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(inherited);
});

/** What the handler saw and what came back: by a request, and as a message of a stream in each direction. */
async function everyWay(value: unknown, codec: Codec): Promise<unknown[]> {
  const seen: unknown[] = [];
  line.handle(61, (payload) => (seen.push(payload), payload), { codec });
  line.handle(
    62,
    async function* (_payload, { input }) {
      for await (const message of input) {
        seen.push(message);
        yield message;
      }
    },
    { kind: 'stream', inCapacity: 1, codec },
  );
  seen.push(await line.caller.request(61, value, { codec }));
  seen.push(...(await collect(line.caller.stream(62, undefined, { input: [value], codec }))));
  expect(seen).toHaveLength(4);
  return seen;
}

const nested = Array.from({ length: 10_000 }, (_, i) => [i, [`${i}`, { at: i / 2 }]]);
let deep: unknown[] = [];
for (let depth = 0; depth < 400; depth++) deep = [deep];

describe('msgpack()', () => {
  it.each<[string, unknown, unknown?]>([
    ['a Buffer', Buffer.from([0, 255, 1])],
    ['a Uint8Array', { raw: new Uint8Array([1, 2]) }, { raw: Buffer.from([1, 2]) }],
    ['an empty Buffer', Buffer.alloc(0)],
    ['a view of more memory', Buffer.from('abcdef').subarray(2, 4)],
    ['a Date', { at: new Date(1_700_000_000_123) }],
    ['a Date before 1970', new Date(-1)],
    ['a bigint beyond 2^53', [2n ** 60n, -(2n ** 60n), 2n ** 64n - 1n]],
    ['a small bigint', 5n, 5],
    ['a Map', new Map([['a', 1]]), { a: 1 }],
    ['a Set', new Set([1, 'b']), [1, 'b']],
    ['undefined fields', { gone: undefined, kept: null, list: [undefined] }, { kept: null, list: [null] }],
    ['an array of 10,000 nested arrays', nested],
    ['400 arrays in each other', deep],
    ['text of all planes', 'a\0ü€😀'],
    ['numbers', [0, 0.5, -1, 2 ** 53, Infinity, -Infinity, NaN, 1e-300]],
  ])('%s', async (_, value, back = value) => {
    for (const seen of await everyWay(value, msgpack())) expect(seen).toStrictEqual(back);
  });
});

describe('msgpack({ structured: true })', () => {
  it.each<[string, unknown, unknown?]>([
    ['Map and Set in each other', new Map<unknown, unknown>([[{ key: 1 }, new Set([new Map([[1, 2]])])]])],
    ['bigints of every size', [5n, 0n, -1n, 2n ** 200n]],
    ['Dates', { at: [new Date(0), new Date(-8.64e15)] }],
    ['undefined fields', { gone: undefined, list: [undefined, null] }],
    ['a Buffer', { raw: Buffer.from('x') }],
    ['a Uint8Array', new Uint8Array([7]), Buffer.from([7])],
    ['an array of 10,000 nested arrays', nested],
  ])('%s', async (_, value, back = value) => {
    for (const seen of await everyWay(value, msgpack({ structured: true }))) expect(seen).toStrictEqual(back);
  });
});

describe('the others', () => {
  it.each<[string, Codec, unknown]>([
    ['json()', json(), { a: [1, 'ü', null, { b: true }] }],
    ['json() of 10,000 nested arrays', json(), nested],
    ['text()', text() as Codec, '\ufeffgrüße 😀'],
    ['bytes()', bytes() as Codec, Buffer.from([0, 1, 255])],
  ])('%s', async (_, codec, value) => {
    for (const seen of await everyWay(value, codec)) expect(seen).toStrictEqual(value);
  });
});

describe('keys that would change what objects inherit', () => {
  /** `{ "__proto__": { "polluted": true }, "constructor": { "prototype": { "polluted": true } } }` */
  const hostileJson = [
    '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    String.raw`{"\u005f_proto__":{"polluted":true},"list":[{"__pr\u006fto__":{"polluted":true}}]}`,
  ];
  const innocent = (value: unknown): void => {
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn(value as object, '__proto__')).toBe(false);
    // what careless code does with it
    const copy = Object.assign({}, value) as Record<string, unknown>;
    expect(copy['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  };
  /** Sends bytes that no codec of ours would write. */
  const verbatim = (payload: Uint8Array, codec: Codec): Codec => ({ encode: () => payload, decode: codec.decode });

  it.each(hostileJson)('json() does not read them: %s', async (hostile) => {
    const codec = verbatim(Buffer.from(hostile), json());
    for (const seen of await everyWay('', codec)) innocent(seen);
  });

  it.each([false, true])('msgpack({ structured: %s }) does not read them', async (structured) => {
    const hostile = msgpack().encode(
      new Map<string, unknown>([
        ['__proto__', new Map([['polluted', true]])],
        ['constructor', { prototype: { polluted: true } }],
      ]),
    );
    for (const seen of await everyWay('', verbatim(hostile, msgpack({ structured })))) innocent(seen);
  });

  it.each(hostileJson)('the details of an error do not have them: %s', async (hostile) => {
    const details = JSON.parse(hostile) as object;
    line.handle(63, () => {
      throw new GridError('ABORTED', 'no', { details });
    });
    const error = await failure(line.caller.request(63));
    expect(error.code).toBe('ABORTED');
    innocent(error.details);
  });

  it('metadata has them as plain keys of an object without a prototype', async () => {
    const metadata = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Record<string, string>;
    let seen: Record<string, string> = {};
    let answered: Record<string, string> = {};
    line.handle(64, (_payload, context) => {
      seen = context.getMetadata();
      context.setResponseMetadata('__proto__', 'polluted');
    });
    await line.caller.request(64, 1, { metadata, onMetadata: (given) => (answered = given) });
    expect(Object.entries(seen)).toEqual(Object.entries(metadata));
    expect(Object.entries(answered)).toEqual([['__proto__', 'polluted']]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

describe("what came is the caller's alone", () => {
  /** The first message of a stream for which its reader had to wait. */
  const awaited = async (): Promise<unknown> => {
    const messages = line.caller.stream(60, { a: 1 })[Symbol.asyncIterator]();
    const { value } = await messages.next();
    await messages.next();
    return value;
  };

  it.each([
    ['an answer', () => line.caller.request(60, { a: 1 })],
    ['a message', awaited],
  ])('%s is garbage as soon as nobody has it any more', async (_, call) => {
    const weak = await call().then((value) => new WeakRef(value as object));
    for (let i = 0; i < 3; i++) {
      await turn();
      collectGarbage();
    }
    expect(weak.deref()).toBeUndefined();
  });
});
