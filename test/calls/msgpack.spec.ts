import assert from 'node:assert';
import { Readable } from 'node:stream';
import vm from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { of } from 'rxjs';
import { msgpack } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { intoOf } from '../../lib/mux/index.js';
import { collectGarbage } from '../garbage.js';
import { thrownBy } from '../manager/refusal.js';

const plain = msgpack();
const structured = msgpack({ structured: true });
const hex = (value: unknown, codec = plain): string => Buffer.from(codec.encode(value)).toString('hex');
const read = (digits: string, codec = plain): unknown => codec.decode(Buffer.from(digits.replaceAll(' ', ''), 'hex'));
const again = (value: unknown, codec = plain): unknown => codec.decode(codec.encode(value));

describe('plain MessagePack', () => {
  const shortest: Array<[unknown, string]> = [
    [null, 'c0'],
    [true, 'c3'],
    [0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [2 ** 32 - 1, 'ceffffffff'],
    [2 ** 32, 'cf0000000100000000'],
    [2 ** 53 - 1, 'cf001fffffffffffff'],
    [2 ** 53, 'cb4340000000000000'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_769, 'd2ffff7fff'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [-(2n ** 63n), 'd38000000000000000'],
    [5n, '05'],
    [1.5, 'cb3ff8000000000000'],
    ['', 'a0'],
    ['ü', 'a2c3bc'],
    ['x'.repeat(32), `d920${'78'.repeat(32)}`],
    [Buffer.from([1, 2]), 'c4020102'],
    [new Uint16Array([1]), 'c4020100'],
    [[1, undefined, () => 1], '9301c0c0'],
    [{ a: 1, b: undefined, c: () => 1, d: Symbol('x') }, '81a16101'],
    [new Map([[1, 2]]), '810102'],
    [new Set([1, 2]), '920102'],
    [new Date(1000), 'd6ff00000001'],
    [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
    [{ toJSON: () => 'json' }, 'a46a736f6e'],
    [Object.assign(Object.create(null), { a: 1 }), '81a16101'],
    [undefined, ''],
  ];

  it.each(shortest)('%p', (value, bytes) => {
    expect(hex(value)).toBe(bytes);
  });

  it('reads every width of every type', () => {
    const widths: Array<[string, unknown]> = [
      ['cc05', 5],
      ['cd0005', 5],
      ['ce00000005', 5],
      ['cf0000000000000005', 5],
      ['d005', 5],
      ['d0ff', -1],
      ['d1ffff', -1],
      ['d2ffffffff', -1],
      ['d3ffffffffffffffff', -1],
      ['cf0020000000000000', 2n ** 53n],
      ['d3ffe0000000000001', -(2 ** 53) + 1],
      ['d3ffe0000000000000', -(2n ** 53n)],
      ['d30020000000000000', 2n ** 53n],
      ['cfffffffffffffffff', 2n ** 64n - 1n],
      ['ca3fc00000', 1.5],
      ['d90161', 'a'],
      ['da000161', 'a'],
      ['db0000000161', 'a'],
      ['c40101', Buffer.from([1])],
      ['c5000101', Buffer.from([1])],
      ['c60000000101', Buffer.from([1])],
      ['dc000101', [1]],
      ['dd0000000101', [1]],
      ['de000101 02', { 1: 2 }],
      ['df00000001c302', { true: 2 }],
      ['d6ff00000001', new Date(1000)],
      ['d7ff 3b9aca00 00000001', new Date(1250)],
      ['c70c05 0000000000000001 0ee6b280', new Date(1250)],
    ];
    for (const [bytes, value] of widths) expect(read(bytes)).toEqual(value);
  });

  it('gives binaries as views, nothing copied', () => {
    const bytes = plain.encode({ a: Buffer.from([1, 2, 3]) });
    const { a } = plain.decode(bytes) as { a: Buffer };
    expect(Buffer.isBuffer(a)).toBe(true);
    expect(a.buffer).toBe(bytes.buffer);
  });

  it('writes what another implementation reads, and reads what that writes', () => {
    const other = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto' as never });
    fc.assert(
      fc.property(values(), (value) => {
        expect(other.unpack(Buffer.from(plain.encode(value)))).toEqual(value);
        expect(plain.decode(other.pack(value))).toEqual(value);
        expect(again(value)).toEqual(value);
      }),
    );
  });

  it('writes the shortest header in front of text of any length, and reads all of it again', () => {
    const other = new Packr();
    const characters = ['a', 'ü', '€', '🚀', '\ud800', 'abcdefghijkü', 'ü0123456789012345678901234567890'];
    const counts = [...Array(90).keys(), 127, 128, 254, 255, 256, 257, 21_845, 21_846, 32_768, 65_535, 65_536];
    for (const character of characters) {
      for (const count of counts) {
        const text = character.repeat(count);
        const bytes = Buffer.from(text, 'utf8');
        const encoded = plain.encode(text);
        const length = bytes.length;
        const header = length < 32 ? [0xa0 | length] : length < 256 ? [0xd9, length] : undefined;
        if (header) expect([...encoded.subarray(0, header.length)]).toEqual(header);
        else expect(encoded[0]).toBe(length < 65_536 ? 0xda : 0xdb);
        expect(bytes.equals(encoded.subarray(encoded.length - length))).toBe(true);
        expect(other.unpack(Buffer.from(encoded))).toBe(bytes.toString());
        expect(plain.decode(encoded)).toBe(bytes.toString());
      }
    }
  });

  it('writes no text beyond the memory that it is lent, whatever its characters', () => {
    const into = intoOf(plain)!;
    const texts = ['a', 'ü', '€'].flatMap((character) => [10, 40, 300].map((count) => character.repeat(count)));
    for (const text of texts) {
      const whole = Buffer.from(plain.encode([text, 1]));
      for (let room = 0; room < whole.length + 8; room++) {
        const memory = Buffer.alloc(3 + room + 16, 0xee);
        const written = into([text, 1], memory, 3, 3 + room);
        const bytes = typeof written === 'number' ? memory.subarray(3, written) : written;
        expect(whole.equals(bytes)).toBe(true);
        expect(memory.subarray(3 + room).every((byte) => byte === 0xee)).toBe(true);
      }
    }
  });

  it('keeps what it wrote before, also when a value is large', () => {
    const small = plain.encode('first');
    const text = 'x'.repeat(100_000);
    const large = plain.encode([text, Buffer.alloc(300_000, 7), text]);
    for (let i = 0; i < 10_000; i++) plain.encode({ i });
    expect(plain.decode(small)).toBe('first');
    const [head, middle, tail] = plain.decode(large) as [string, Buffer, string];
    expect(head === text && tail === text && middle.equals(Buffer.alloc(300_000, 7))).toBe(true);
  });

  it('tells names apart that differ in one byte, by length or by nothing but their ends, whenever they come', () => {
    const names = ['', 'a', 'aa', 'ab', 'ba', '0', '00', 'ü', 'u\u0308', '\ufeffa', 'toString'];
    names.push('x'.repeat(31), 'x'.repeat(32));
    // far more than are kept, many of them in one place
    for (let i = 0; i < 1_500; i++) names.push(`name ${i}`, String.fromCharCode(97 + (i % 26), 97 + ((i * 7) % 26)));
    const once = [...new Set(names)];
    for (let round = 0; round < 3; round++) {
      for (const name of once) {
        const object = again({ [name]: name, other: 1 }) as Record<string, unknown>;
        expect(Object.keys(object).sort()).toEqual([name, 'other'].sort());
        expect(object[name]).toBe(name);
      }
      once.reverse();
    }
  });

  it('names of any bytes: those that are no UTF-8 are replaced, each time', () => {
    for (const bytes of ['ff', 'c3', 'e282', '61ff', 'c3bc', '00']) {
      const length = (0xa0 | (bytes.length / 2)).toString(16);
      const name = Buffer.from(bytes, 'hex').toString();
      for (let i = 0; i < 3; i++) expect(read(`81${length}${bytes}01`)).toEqual({ [name]: 1 });
    }
  });

  it('a name that is cut off is refused, also where the whole one is known', () => {
    read('81a568656c6c6f01');
    for (const bytes of ['81a568656c6c', '81a5', '81', '81bf68656c6c6f01']) {
      expect(() => read(bytes)).toThrow(GridError);
    }
  });

  it('counts the properties that have a value, in the shortest header', () => {
    for (const [count, header] of [
      [0, '80'],
      [15, '8f'],
      [16, 'de0010'],
      [65_535, 'deffff'],
      [65_536, 'df00010000'],
    ] as const) {
      const object = Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, index]));
      const bytes = Buffer.from(plain.encode({ a: { ...object, left: undefined, out: () => 1 }, z: 'behind' }));
      expect(bytes.subarray(3, 3 + header.length / 2).toString('hex')).toBe(header);
      expect(plain.decode(bytes)).toEqual({ a: object, z: 'behind' });
    }
  });

  it('moves what stands behind a header that grows, at each depth and where its memory ends', () => {
    const wide = (inner: unknown): object => ({
      ...Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`p${index}`, index])),
      inner,
    });
    const value = wide(wide([wide('x'.repeat(50)), wide(Buffer.alloc(30, 7))]));
    const whole = Buffer.from(plain.encode(value));
    expect(plain.decode(whole)).toEqual(value);
    for (let room = 0; room < whole.length + 10; room++) {
      const memory = Buffer.alloc(5 + room + 16, 0xee);
      const written = intoOf(plain)!(value, memory, 5, 5 + room);
      const bytes = typeof written === 'number' ? memory.subarray(5, written) : written;
      expect(whole.equals(bytes)).toBe(true);
      expect(memory.subarray(5 + room).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  it('writes what is the own of an object and not what it inherits, each getter asked once', () => {
    class Point {
      x = 1;
      asked = 0;
      get sum(): number {
        return 5;
      }
    }
    const point = new Point();
    Object.defineProperty(point, 'once', { enumerable: true, get: () => ++point.asked });
    Object.defineProperty(point, 'hidden', { enumerable: false, value: 1 });
    const old = Object.assign(Object.create({ inherited: 1, toString: () => 'x' }) as object, { own: 2 });
    expect(again(point)).toEqual({ x: 1, asked: 0, once: 1 });
    expect(again(old)).toEqual({ own: 2 });
    expect(again({ constructor: 1, toJSON: 2, then: 3 })).toEqual({ constructor: 1, toJSON: 2, then: 3 });
    expect(Object.keys(again({ b: 1, 2: 1, a: 1, 1: 1 }) as object)).toEqual(['1', '2', 'b', 'a']);
    const proxy = new Proxy({ a: 1, b: 2 }, { ownKeys: () => ['b', 'a'] });
    expect(hex(proxy)).toBe('82a16202a16101');
  });

  it('an array or a Map that changes while it is written has the number of items that it says', () => {
    const behind = 'behind';
    const grows: unknown[] = [{ toJSON: () => grows.push('more') }, 2];
    const shrinks: unknown[] = [{ toJSON: () => shrinks.pop() }, 2, 3];
    expect(again([grows, behind])).toEqual([[3, 2], behind]);
    expect(again([shrinks, behind])).toEqual([[3, 2, null], behind]);
    const map = new Map<string, unknown>([['b', 1]]);
    map.set('a', { toJSON: () => (map.set('c', 2), map.delete('b'), 'x') });
    expect(again([map, behind])).toEqual([{ b: 1, a: 'x', c: 2 }, behind]);
    class Fresh extends Map<string, number> {
      override *[Symbol.iterator](): MapIterator<[string, number]> {
        for (const entry of super.entries()) if (entry[1] > 0) yield entry;
      }
    }
    expect(again([new Fresh([['old', 0], ['new', 1]]), behind])).toEqual([{ new: 1 }, behind]);
    for (const codec of [plain, structured]) {
      const many = new Map(Array.from({ length: 70_000 }, (_, index) => [`key ${index}`, index]));
      const read = again([many, behind], codec) as [object, string];
      expect([read[1], read[0] instanceof Map ? read[0].size : Object.keys(read[0]).length]).toEqual([behind, 70_000]);
    }
  });

  it('what has a toJSON is what that gives, arrays and Maps too; Dates and byte arrays are what they are', () => {
    class List extends Array<number> {
      toJSON(): unknown {
        return { items: [...this] };
      }
    }
    class Table extends Map<string, number> {
      toJSON(): unknown {
        return [...this.keys()];
      }
    }
    class Names extends Set<string> {
      toJSON(): unknown {
        return [...this].join();
      }
    }
    const value = { list: List.from([1, 2]), table: new Table([['a', 1]]), names: new Names(['b', 'c']) };
    for (const codec of [plain, structured]) {
      expect(again(value, codec)).toEqual({ list: { items: [1, 2] }, table: ['a'], names: 'b,c' });
      expect(again(Object.assign([1], { toJSON: () => 'own' }), codec)).toBe('own');
      const kept = { date: new Date(1000), bytes: Buffer.from('x') };
      expect(again(kept, codec)).toEqual(kept);
    }
  });

  it.each([
    ['an object', {}],
    ['an object', [1]],
    ['an object', new Date(0)],
    ['an object', Buffer.from('x')],
    ['an object', { toJSON: () => [] }],
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('x')],
  ])('a Map with %s as a key is refused where it is written: %p', (what, key) => {
    expect(() => plain.encode(new Map([[key, 1]]))).toThrow(`codec msgpack() cannot hold a Map with ${what} as a key`);
  });

  it('a Map with keys that can be read', () => {
    const id = { toJSON: () => 'an id' };
    const map = new Map<unknown, number>([['a', 1], [2, 2], [3n, 3], [true, 4], [id, 5]]);
    expect(again(map)).toEqual({ a: 1, 2: 2, 3: 3, true: 4, 'an id': 5 });
    const key = { a: 1 };
    expect([...(again(new Map([[key, 1]]), structured) as Map<unknown, unknown>)]).toEqual([[key, 1]]);
  });

  it('may be asked by a getter while it writes', () => {
    const value = {
      a: 1,
      get b() {
        return Buffer.from(plain.encode({ c: 2 }));
      },
      d: 'x',
    };
    const { b, d } = again(value) as { b: Buffer; d: string };
    expect(d).toBe('x');
    expect(plain.decode(b)).toEqual({ c: 2 });
  });

  it('knows objects of another realm', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ date: new Date(1000), map: new Map([["a", 1]]), set: new Set([1]), bytes: new Uint8Array([1]) })',
    );
    expect(again(foreign)).toEqual({ date: new Date(1000), map: { a: 1 }, set: [1], bytes: Buffer.from([1]) });
  });

  it('what stands in an object of its own, a text, a number or a boolean, is that, as in JSON', () => {
    const boxed = { text: Object('three'), count: Object(3), off: Object(false), big: Object(2n ** 60n) };
    expect(again(boxed)).toEqual({ text: 'three', count: 3, off: false, big: 2n ** 60n });
    expect(again(vm.runInNewContext('[new String("a"), new Number(0.5)]'))).toEqual(['a', 0.5]);
    expect(again(Object.assign(Object('x'), { toJSON: () => 'y' }))).toBe('y');
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const unfit: Array<[string, unknown]> = [
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a Promise', { a: Promise.resolve() }],
    ['a cycle', circle],
    ['a bigint of 65 bits', 2n ** 64n],
    ['an invalid Date', new Date(NaN)],
    ['an async iterable', { data: (async function* () {})() }],
    ['an async iterable', [Readable.from([])]],
    ['an Observable', { data: of(1) }],
    ['an iterator', (function* () {})()],
    ['an iterator', { keys: new Map().keys() }],
  ];

  it('asks what knows how it is written, whatever else it is', () => {
    const cursor = Object.assign(Readable.from([1]), { toJSON: () => ({ at: 5 }) });
    expect(again({ cursor })).toEqual({ cursor: { at: 5 } });
  });

  const late = (place: object): unknown => ({ user: { id: 1n, posts: [{ at: new Date(0) }, place] } });
  const looped: Record<string, unknown> = { list: [] };
  looped['list'] = [1, { back: looped }];
  let deep: unknown = Promise.resolve();
  for (let i = 0; i < 20; i++) deep = { deep };
  const shy = new Proxy(
    { promise: Promise.resolve() },
    { has: (target, key) => (key === 'toJSON' ? assert.fail('shy') : key in target) },
  );
  it.each<[string, unknown, string]>([
    ['a property', late({ author: Promise.resolve() }), 'a Promise; it stands at user.posts[1].author'],
    ['an item', late([0, 2n ** 64n]), 'a bigint of more than 64 bits; it stands at user.posts[1][1]'],
    ['a name that is no identifier', { 'a b': new Date(NaN) }, 'an invalid Date; it stands at ["a b"]'],
    ['a key of a Map', { map: new Map([[{}, 1]]) }, 'a Map with an object as a key; it stands at map'],
    ['a cycle of one', circle, 'a value nested deeper than 512 (a cycle?); it stands at self'],
    ['a longer cycle', looped, 'a value nested deeper than 512 (a cycle?); it stands at list[1].back'],
    ['a long way', deep, `a Promise; it stands at ${Array(8).fill('deep').join('.')}`],
    ['the value itself', Promise.resolve(), 'a Promise'],
    [
      'a generator',
      (function* () {})(),
      'an iterator: send an array of its values, or give them by an async generator',
    ],
    ['inside of a toJSON', { a: { toJSON: () => ({ b: Promise.resolve() }) } }, 'a Promise; it stands at a'],
    ['beside what is left out', { fn() {}, a: [() => 1, Promise.resolve()] }, 'a Promise; it stands at a[1]'],
    ['in what cannot be looked at', { shy }, 'a Promise; it stands at shy'],
  ])('says where it stands: %s', (_, value, text) => {
    const thrown = thrownBy(() => plain.encode(value));
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT', message: `codec msgpack() cannot hold ${text}` });
    expect(again({ a: 1 })).toEqual({ a: 1 });
  });

  it.each(unfit)('cannot hold %s, and goes on', (name, value) => {
    expect(() => plain.encode(value)).toThrow(GridError);
    expect(() => plain.encode(value)).toThrow(name.split(' ').at(-1));
    expect(again({ a: 1 })).toEqual({ a: 1 });
  });
});

describe('structured MessagePack', () => {
  it('round trips Map, Set, bigint, Date and undefined exactly', () => {
    const value = {
      map: new Map<unknown, unknown>([
        [1, 'a'],
        [{ k: 1 }, new Map([['b', undefined]])],
      ]),
      set: new Set([1, new Set(['x'])]),
      small: 5n,
      large: [2n ** 100n, -(2n ** 100n), 0n, -1n],
      dates: [new Date(0), new Date(-12_345_678_901_234), new Date(1_700_000_000_123), new Date(8.64e15)],
      missing: undefined,
      list: [undefined, null],
    };
    const result = again(value, structured) as typeof value;
    expect(result).toStrictEqual(value);
    expect('missing' in result).toBe(true);
  });

  it('is not read by the plain codec', () => {
    for (const value of [new Map(), new Set(), 5n, { a: undefined }]) {
      expect(() => plain.decode(structured.encode(value))).toThrow('unknown type');
    }
  });
});

describe('hostile payloads', () => {
  it('give no object another prototype', () => {
    for (const text of ['__proto__', 'constructor', 'prototype']) {
      const key = Buffer.concat([Buffer.from([0xa0 | text.length]), Buffer.from(text)]).toString('hex');
      const object = read(`82a16101${key}81a17801`) as Record<string, unknown>;
      expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
      expect(object['x']).toBeUndefined();
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
      expect(Object.hasOwn(object, text)).toBe(text !== '__proto__');
    }
  });

  const broken = [
    'c1',
    '91',
    'a161ff',
    '00 00',
    'd4 72 40 91 a1 61 01',
    'd6 70 00000001',
    'd6 69 00000001 90',
    'c7 00 65',
    'c7 03 78 92a161a0',
    'dd ffffffff',
    'df ffffffff',
    'db ffffffff',
    'c6 ffffffff',
    'c9 ffffffff 01',
    'dc ffff 01',
    '81 90 01',
    '81 c4 01 61 01',
    'c7 05 ff 0000000000',
    'cb 00',
  ];

  it.each(broken)('%s is refused', (bytes) => {
    for (const codec of [plain, structured]) {
      expect(() => read(bytes, codec)).toThrow(GridError);
    }
  });

  it('a depth of 100,000 is refused, arrays, maps and extensions alike', () => {
    for (const level of ['91', '81a161', 'dd00000001']) {
      expect(() => read(`${level.repeat(100_000)}c0`)).toThrow('nested deeper');
    }
  });

  it.each([
    ['maps', '80'],
    ['arrays', '90'],
    ['byte arrays', 'c400'],
    ['extensions', 'c70053'],
  ])('no more than 1,048,576 objects: %s', (_, item) => {
    // with the array around them
    const of = (count: number): Buffer => {
      const header = Buffer.from('dd00000000', 'hex');
      header.writeUInt32BE(count, 1);
      return Buffer.concat([header, Buffer.alloc((count * item.length) / 2, Buffer.from(item, 'hex'))]);
    };
    expect(structured.decode(of(1_048_575))).toHaveLength(1_048_575);
    expect(() => structured.decode(of(1_048_576))).toThrow(
      'more than 1048576 maps, arrays, byte arrays and extensions, which is the cap',
    );
  });

  describe('no more than 262,144 names', () => {
    const PAIRS = 1_000;
    const shortKey = (n: number): string => `a5${Buffer.from(n.toString(36).padStart(5, '0')).toString('hex')}`;
    const longKey = (n: number): string => `d92d${'78'.repeat(40)}${shortKey(n).slice(2)}`;
    const numberKey = (n: number): string => `ce${n.toString(16).padStart(8, '0')}`;
    /** An array of maps with so many pairs of a key and nil all in all. */
    const of = (pairs: number, keyOf: (n: number) => string): Buffer => {
      const hex = Array.from({ length: pairs }, (_, n) => {
        const map = n % PAIRS === 0 ? `de${Math.min(PAIRS, pairs - n).toString(16).padStart(4, '0')}` : '';
        return `${map}${keyOf(n)}c0`;
      });
      const maps = Math.ceil(pairs / PAIRS);
      return Buffer.from(`dd${maps.toString(16).padStart(8, '0')}${hex.join('')}`, 'hex');
    };

    it.each([
      ['short ones', shortKey],
      ['long ones', longKey],
      ['numbers', numberKey],
    ])('%s', (_, keyOf) => {
      expect(plain.decode(of(262_144, keyOf))).toHaveLength(263);
      expect(() => plain.decode(of(262_145, keyOf))).toThrow('more than 262144 names of properties, which is the cap');
    });

    it('but each as often as there is room: those that share a place of the kept ones, too', () => {
      // twice as many as there are places
      const read = plain.decode(of(300_000, (n) => shortKey(n % 2_048))) as Record<string, null>[];
      expect(read.map((each) => Object.keys(each).length)).toEqual(Array.from({ length: 300 }, () => PAIRS));
    });

    it('the pairs of a Map are none', () => {
      const map = new Map(Array.from({ length: 262_145 }, (_, n) => [`k${n}`, n]));
      const back = structured.decode(structured.encode(map)) as typeof map;
      expect([back.size, back.get('k262144')]).toEqual([262_145, 262_144]);
    });
  });

  it('keys of a map are integers of 64 bits at most: larger ones would take seconds to become text', () => {
    const bigintOf = (hex: string): string => `c7${(1 + hex.length / 2).toString(16).padStart(2, '0')}4200${hex}`;
    const mapOf = (key: string): string => `81${key}c3`;
    const most = 2n ** 64n - 1n;
    expect(read(mapOf('cfffffffffffffffff'), plain)).toEqual({ [String(most)]: true });
    expect(read(mapOf(bigintOf('ff'.repeat(8))), structured)).toEqual({ [String(most)]: true });
    expect(() => read(mapOf(bigintOf('01'.repeat(9))), structured)).toThrow(GridError);
  });

  describe('names that the engine takes for indices', () => {
    const MAPS = 2_000;

    it.each([
      ['a number', '81cd03ff'],
      ['a text', '81a431303233'],
      ['one behind a row of others', '8411c000c001c0cd03ff'],
      ['several, none far behind the one before', '83cd03e0c0cd0780c0cd0b90'],
    ])('take no memory for what is not there: %s', (_, hex) => {
      const payload = Buffer.from(`dc${MAPS.toString(16).padStart(4, '0')}${`${hex}c0`.repeat(MAPS)}`, 'hex');
      collectGarbage();
      const before = process.memoryUsage().heapUsed;
      const maps = plain.decode(payload) as object[];
      collectGarbage();
      // a list with room for all numbers up to 1,023 has 12 KB
      expect((process.memoryUsage().heapUsed - before) / MAPS).toBeLessThan(1_024);
      expect(maps).toHaveLength(MAPS);
    });

    it('are properties like any other, whatever gaps there are', () => {
      const names = ['7', '4294967294', '1023', '4294967295', '0', '01', '1e3', '-1', '100000', '8', '9', '2.5'];
      const object = Object.fromEntries(names.map((name) => [name, name]));
      const map = Buffer.from(`8c${names.map((name) => hex(name).repeat(2)).join('')}`, 'hex');
      const back = plain.decode(map) as Record<string, string>;
      expect(back).toStrictEqual(object);
      expect(Object.keys(back)).toEqual(Object.keys(object));
      back['4294967294'] = 'another';
      expect(JSON.stringify(back)).toBe(JSON.stringify({ ...object, 4294967294: 'another' }));
    });
  });

  it('structured extensions end where they say', () => {
    for (const bytes of ['c7 02 4d 01 01 01', 'c7 01 4d 01', 'c7 02 53 91 01 01', 'c7 01 42 00', 'c7 00 42']) {
      expect(() => read(bytes, structured)).toThrow(GridError);
    }
  });

  it('whatever the bytes are, a value or a GridError', () => {
    const payloads = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      values().map((value) => plain.encode(value)),
    );
    fc.assert(
      fc.property(payloads, fc.nat(), fc.nat(), (payload, cut, flip) => {
        const damaged = Buffer.from(payload.subarray(0, payload.length - (cut % (payload.length + 1))));
        if (damaged.length > 0) damaged[flip % damaged.length]! ^= 1 << (flip % 8);
        for (const codec of [plain, structured]) {
          try {
            codec.decode(damaged);
          } catch (error) {
            expect(GridError.is(error)).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** Values that plain MessagePack holds exactly. */
function values(): fc.Arbitrary<unknown> {
  const leaf = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  const key = fc.string({ maxLength: 40 }).filter((text) => text !== '__proto__');
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value')),
      fc.dictionary(key, tie('value'), { noNullPrototype: true }),
    ),
  })).value;
}
