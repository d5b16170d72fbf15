import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  defineRequest,
  defineStream,
  isContract,
  msgpack,
  type InputOf,
  type Pattern,
  type PayloadArgs,
  type RequestContract,
  type StandardSchema,
  type StreamArgs,
  type StreamContract,
} from '../../lib/calls/index.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

interface Info {
  readonly free: number;
}

const DiskInfo = defineRequest<{ noOp: boolean }, Info>({ id: 9, name: 'disk.info' });
const Walk = defineStream<string | undefined, never, Info>({ id: 7, name: 'walk.dir', outCapacity: 64 });
const Chunks = defineStream<void, Uint8Array, void>({ id: 8, name: 'chunks', inCapacity: 4, codec: msgpack() });
const Upload = defineStream({
  id: 12,
  name: 'upload',
  payload: z.object({ name: z.string() }),
  input: z.object({ at: z.number().int() }),
  output: z.object({ ok: z.boolean() }),
  inCapacity: 16,
});
const Stat = defineRequest({ id: 13, name: 'stat', payload: z.object({ path: z.string() }), result: z.number() });

// the overloads as a peer has them: they must tell contracts and payloads apart at compile time
declare const peer: {
  request<Req, Res>(to: RequestContract<Req, Res>, ...args: PayloadArgs<Req>): Promise<Res>;
  request<Res = unknown>(to: Pattern, payload?: unknown): Promise<Res>;
  stream<Req, In, Out>(to: StreamContract<Req, In, Out>, ...args: StreamArgs<Req, In>): AsyncIterable<Out>;
  stream<Out = unknown>(to: Pattern, payload?: unknown): AsyncIterable<Out>;
};

/** Never run: it has to compile, and each marked line must not. */
export async function types(): Promise<void> {
  const info: Info = await peer.request(DiskInfo, { noOp: true });
  const size: number = await peer.request(Stat, { path: '/' });
  const any: number = await peer.request<number>(60, info);
  for await (const entry of peer.stream(Walk)) entry.free.toFixed();
  for await (const receipt of peer.stream(Upload, { name: 'a' }, { input: [{ at: size + any }] })) receipt.ok.valueOf();
  peer.stream(Chunks, undefined, { input: [Buffer.alloc(1)] });
  // @ts-expect-error the payload is missing
  await peer.request(DiskInfo);
  // @ts-expect-error the payload is another one
  await peer.request(DiskInfo, { noOp: 'yes' });
  // @ts-expect-error a stream is no request
  await peer.request(Walk);
  // @ts-expect-error a request is no stream
  peer.stream(DiskInfo, { noOp: true });
  // @ts-expect-error the input is of another type
  peer.stream(Upload, { name: 'a' }, { input: [{ at: 'x' }] });
  // @ts-expect-error a stream that takes input must say how much of it
  defineStream<void, string, void>({ id: 1, name: 'x' });
}

describe('a contract', () => {
  it('is frozen data with a kind', () => {
    expect(DiskInfo).toEqual({ id: 9, name: 'disk.info', kind: 'request' });
    expect(Walk).toEqual({ id: 7, name: 'walk.dir', kind: 'stream', inCapacity: 0, outCapacity: 64 });
    expect(Object.isFrozen(Walk)).toBe(true);
    expect([DiskInfo, Walk, 60, 'x', { cmd: 'x' }, { kind: 'stream' }, null].map(isContract)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('a wrong contract', () => {
  class Dto {}
  const both: readonly ((facts: never) => unknown)[] = [defineRequest, defineStream];
  const noSchema = 'it must be a Standard Schema, as zod, valibot and arktype make them';
  const noCodec = 'it must be an object with encode and decode, like json()';
  const noId = 'it must be an integer from 1 to 253';

  it.each<[object, string]>([
    [{ id: 0, name: 'x' }, `contract x: id is 0; ${noId}`],
    [{ id: 254, name: 'x' }, `contract x: id is 254; ${noId}`],
    [{ id: 1.5, name: 'x' }, `contract x: id is 1.5; ${noId}`],
    [{ id: '60', name: 'x' }, `contract x: id is '60'; ${noId}`],
    [{ name: 'x' }, `contract x: id is undefined; ${noId}`],
    [{ id: 60 }, 'contract with the ID 60: name is undefined; it must be a string that is not empty'],
    [{ id: 60, name: '' }, "contract with the ID 60: name is ''; it must be a string that is not empty"],
    [{ id: 60, name: 'x', payload: Dto }, `contract x: payload is [class Dto]; ${noSchema}`],
    [{ id: 60, name: 'x', payload: null }, `contract x: payload is null; ${noSchema}`],
    [{ id: 60, name: 'x', payload: { '~standard': {} } }, "contract x: payload is { '~standard': "],
    [{ id: 60, name: 'x', codec: 'json' }, `contract x: codec is 'json'; ${noCodec}`],
    [{ id: 60, name: 'x', codec: { encode: () => Buffer.alloc(0) } }, 'contract x: codec is {'],
  ])('%j', (facts, text) => {
    for (const define of both) {
      const error = thrown(() => define(facts as never));
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(text) });
    }
  });

  it.each<[object, string]>([
    [{ id: 60, name: 'x', result: 'number' }, `contract x: result is 'number'; ${noSchema}`],
    [
      { id: 60, name: 'x', payloads: z.string() },
      'contract x: unknown payloads; known are id, name, codec, payload, result',
    ],
    [{ id: 60, name: 'x', timeoutMs: 5 }, 'contract x: unknown timeoutMs'],
    [{ id: 60, name: 'x', inCapacity: 5 }, 'contract x: unknown inCapacity'],
  ])('of a request: %#', (facts, text) => {
    const error = thrown(() => defineRequest(facts as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(text) });
  });

  it.each<[object, string]>([
    [{ id: 60, name: 'x', input: Dto, inCapacity: 1 }, `contract x: input is [class Dto]; ${noSchema}`],
    [{ id: 60, name: 'x', output: Dto }, `contract x: output is [class Dto]; ${noSchema}`],
    [{ id: 60, name: 'x', inCapacity: -1 }, 'contract x: inCapacity is -1; it must be an integer from 0 to'],
    [{ id: 60, name: 'x', outCapacity: 0 }, 'contract x: outCapacity is 0; it must be an integer from 1 to'],
    [{ id: 60, name: 'x', input: z.string() }, 'contract x: its stream takes input, so inCapacity must be at least 1'],
    [
      { id: 60, name: 'x', result: z.string() },
      'contract x: unknown result; known are id, name, codec, payload, input, output, inCapacity, outCapacity',
    ],
  ])('of a stream: %#', (facts, text) => {
    const error = thrown(() => defineStream(facts as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(text) });
  });

  it.each([undefined, null, 60, 'x'])('made of %p', (facts) => {
    for (const define of both) {
      expect(thrown(() => define(facts as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('is none that is spread into another, nor one that leaves out what it may', () => {
    expect(defineRequest({ ...DiskInfo, id: 10 })).toEqual({ id: 10, name: 'disk.info', kind: 'request' });
    expect(defineStream({ ...Upload, id: 10 })).toEqual({ ...Upload, id: 10 });
    const facts = { id: 1, name: 'x', codec: undefined, payload: undefined, inCapacity: undefined };
    expect(defineStream(facts as never)).toEqual({ ...facts, inCapacity: 0, kind: 'stream' });
  });

  it('is none with a schema that is a function, as those of arktype are', () => {
    const schema = Object.assign(() => 'called', { '~standard': z.string()['~standard'] });
    expect(defineRequest({ id: 60, name: 'x', payload: schema }).payload).toBe(schema);
  });
});

function thrown(define: () => unknown): unknown {
  try {
    define();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('schemas', () => {
  let line: GridLine;

  beforeEach(() => {
    line = gridLine();
  });

  afterEach(() => line.pair.cut());

  const late = <S extends StandardSchema>(schema: S): StandardSchema<InputOf<S>> => ({
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => schema['~standard'].validate(value),
    },
  });

  it.each([
    ['at once', Stat.payload!],
    ['late', late(Stat.payload!)],
  ])('check the payload before the handler runs, %s', async (_when, payloadSchema) => {
    const seen: unknown[] = [];
    line.handle(
      13,
      (payload) => {
        seen.push(payload);
        return 5;
      },
      { payloadSchema },
    );
    await expect(line.caller.request(Stat, { path: '/', more: 1 })).resolves.toBe(5);
    expect(seen).toEqual([{ path: '/' }]);
    const error = await failure(line.caller.request(Stat, { path: 7 }));
    expect(error.message).toMatch(/^the payload does not fit the contract: path: /);
    expect(seen).toHaveLength(1);
    expect((await failure(collect(line.caller.stream(13, { path: 7 })))).message).toContain('path');
  });

  it.each([
    ['at once', Upload.input!],
    ['late', late(Upload.input!)],
  ])('check each message of the input, %s', async (_when, inputSchema) => {
    line.handle(12, (_payload, { input }) => collect(input), { kind: 'stream', inCapacity: 16, inputSchema });
    const good = line.caller.stream(Upload, { name: 'a' }, { input: [{ at: 1 }, { at: 2 }] });
    await expect(collect(good)).resolves.toEqual([[{ at: 1 }, { at: 2 }]]);
    const bad = line.caller.stream(Upload, { name: 'a' }, { input: [{ at: 1 }, { at: 'x' }] });
    expect((await failure(collect(bad))).message).toMatch(/^a message of the input does not fit the contract: at: /);
  });

  it('check the payload of an event too; what does not fit is logged', async () => {
    line.handle(
      13,
      () => {
        throw new Error('must not run');
      },
      { kind: 'event', payloadSchema: Stat.payload! },
    );
    await line.caller.emit(13, { path: 7 });
    await line.pair.settle();
    expect(line.logged.join()).toContain('path');
    expect(line.logged.join()).not.toContain('must not run');
  });
});
