// Standard Schema: zod and valibot, at the handler side always, at the caller on request.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as v from 'valibot';
import { z } from 'zod';
import {
  defineRequest,
  defineStream,
  type CallContext,
  type InputOf,
  type StandardSchema,
} from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

interface Order {
  readonly items: readonly { readonly count: number }[];
}
interface Tick {
  readonly at: number;
}

interface Schemas {
  readonly order: StandardSchema<Order>;
  readonly tick: StandardSchema<Tick>;
  /** As `order`, but it takes its time. */
  readonly later: StandardSchema<Order>;
}

const vendors: [string, Schemas][] = [
  [
    'zod',
    {
      order: z.object({ items: z.array(z.object({ count: z.number() })) }),
      tick: z.object({ at: z.number() }),
      later: z.object({ items: z.array(z.object({ count: z.number() })) }).refine(async () => true),
    },
  ],
  [
    'valibot',
    {
      order: v.object({ items: v.array(v.object({ count: v.number() })) }),
      tick: v.object({ at: v.number() }),
      later: v.pipeAsync(
        v.object({ items: v.array(v.object({ count: v.number() })) }),
        v.checkAsync(async () => true),
      ),
    },
  ],
];

const wrong = { items: [{ count: 1 }, { count: 'two' }] } as unknown as Order;
const fits = { items: [{ count: 1 }] };
const paths = [{ path: 'items.1.count', message: expect.any(String) }];

describe.each(vendors)('schemas of %s', (_vendor, { order, tick, later }) => {
  const Buy = defineRequest({ id: 20, name: 'buy', payload: order, result: tick });
  const Feed = defineStream({ id: 21, name: 'feed', payload: order, input: tick, output: tick, inCapacity: 4 });
  let line: GridLine;
  let ran: unknown[];
  let answer: unknown;

  beforeEach(() => {
    line = gridLine();
    ran = [];
    answer = { at: 1 };
    const note = (payload: unknown): unknown => (ran.push(payload), answer);
    const feed = async function* (_payload: unknown, { input }: CallContext): AsyncGenerator {
      for await (const message of input) yield note(message);
    };
    line.handle(20, note, { payloadSchema: order });
    line.handle(21, feed, { kind: 'stream', inCapacity: 4, payloadSchema: order, inputSchema: tick });
  });
  afterEach(() => line.pair.cut());

  it('at the handler: the paths of a payload come back as details, the handler never ran', async () => {
    const error = await failure(line.caller.request(Buy, wrong));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: paths, remote: true, notSent: false });
    expect(error.message).toMatch(/^the payload does not fit the contract: items\.1\.count: /);
    expect(await failure(collect(line.caller.stream(Feed, wrong)))).toMatchObject({ details: paths, remote: true });
    expect(ran).toEqual([]);
    await expect(line.caller.request(Buy, fits)).resolves.toEqual({ at: 1 });
  });

  it('at the handler: a message that does not fit fails the stream, those before it were taken', async () => {
    const input = [{ at: 1 }, { at: 'x' }] as unknown as InputOf<typeof tick>[];
    const error = await failure(collect(line.caller.stream(Feed, fits, { input })));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: [{ path: 'at' }], remote: true });
    expect(ran).toEqual([{ at: 1 }]);
  });

  it('at the caller, on request: nothing is sent', async () => {
    const options = { validate: true };
    const expected = { code: 'INVALID_ARGUMENT', details: paths, remote: false, notSent: true, pattern: 'buy' };
    expect(await failure(line.caller.request(Buy, wrong, options))).toMatchObject(expected);
    await expect(line.caller.send(Buy, wrong, options).forEach(() => {})).rejects.toMatchObject(expected);
    expect(() => line.caller.stream(Feed, wrong, options)).toThrow(
      expect.objectContaining({ ...expected, pattern: 'feed' }),
    );
    await line.pair.settle();
    expect(line.pair.aToB.delivered).toEqual([]);
  });

  it('at the caller, on request: a message that does not fit is not written, and the call goes on', async () => {
    const call = line.caller.stream(Feed, fits, { validate: true });
    const error = await failure(call.write({ at: 'x' }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: [{ path: 'at' }], remote: false });
    await call.write({ at: 5 });
    call.end();
    expect(await collect(call)).toEqual([{ at: 1 }]);
    expect(ran).toEqual([{ at: 5 }]);
    const input = [{ at: 'x' }] as unknown as InputOf<typeof tick>[];
    const pumped = await failure(collect(line.caller.stream(Feed, fits, { validate: true, input })));
    expect(pumped).toMatchObject({ code: 'INVALID_ARGUMENT', details: [{ path: 'at' }], remote: false });
  });

  it.each([
    ['of another type', { at: 'x' }],
    ['that is none', undefined],
  ])('at the caller, on request: an answer %s is INTERNAL with the paths', async (_, odd) => {
    answer = odd;
    const error = await failure(line.caller.request(Buy, fits, { validate: true }));
    expect(error).toMatchObject({ code: 'INTERNAL', remote: false, notSent: false });
    expect(error.message).toMatch(/^the answer does not fit the contract/);
    await expect(line.caller.request(Buy, fits)).resolves.toEqual(odd);
    const sent = line.caller.send(Buy, fits, { validate: true }).forEach(() => {});
    await expect(sent).rejects.toMatchObject({ code: 'INTERNAL' });
    const read = collect(line.caller.stream(Feed, fits, { validate: true, input: [{ at: 1 }] }));
    await expect(read).rejects.toMatchObject({ code: 'INTERNAL', details: [expect.anything()] });
  });

  it('a schema that takes its time works at the handler, and is refused at the caller', async () => {
    const Late = defineRequest({ id: 22, name: 'late', payload: later });
    line.handle(22, () => 'ok', { payloadSchema: later });
    await expect(line.caller.request(Late, fits)).resolves.toBe('ok');
    expect(await failure(line.caller.request(Late, wrong))).toMatchObject({ details: paths });
    const error = await failure(line.caller.request(Late, fits, { validate: true }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', notSent: true });
    // what it says later is of no interest any more: jest fails a test in whose time a rejection is left unhandled
    expect(await failure(line.caller.request(Late, wrong, { validate: true }))).toMatchObject({ notSent: true });
    await turn();
  });
});

it('of a long list of faults the text names ten, and the details as many as an answer holds', async () => {
  const line = gridLine();
  const numbers = z.array(z.number());
  const Sum = defineRequest({ id: 26, name: 'sum', payload: numbers });
  line.handle(26, () => 'ok', { payloadSchema: numbers });
  const texts: unknown = Array.from({ length: 1000 }, () => 'x');
  const error = await failure(line.caller.request(Sum, texts as number[]));
  expect(error.message).toMatch(/^the payload does not fit the contract: 0: .*; 9: [^;]*; and 990 more$/);
  const details = error.details as unknown[];
  expect(details.length).toBeGreaterThan(80);
  expect(details[50]).toMatchObject({ path: '50' });
  expect(details.at(-1)).toEqual({ omitted: `and ${1000 - details.length + 1} more` });
});

it('of a million faults 256 are looked at, and their number is told', async () => {
  const line = gridLine();
  let looked = 0;
  const issue = {
    path: [0],
    get message() {
      looked++;
      return 'no number';
    },
  };
  const refusing = (count: number): StandardSchema => {
    const validate = () => ({ issues: Array.from({ length: count }, () => issue) });
    return { '~standard': { version: 1, vendor: 'test', validate } };
  };
  const Sum = defineRequest({ id: 26, name: 'sum', payload: refusing(1_000_000) });
  const here = await failure(line.caller.request(Sum, 1, { validate: true }));
  const details = here.details as unknown[];
  expect([details.length, details.at(-1)]).toEqual([257, { omitted: 'and 999,744 more' }]);
  expect(here.message).toMatch(/; and 999990 more$/);
  line.handle(26, () => 'ok', { payloadSchema: refusing(1_000_000) });
  const there = (await failure(line.caller.request(Sum, 1))).details as unknown[];
  expect(there.length).toBeLessThan(257);
  expect(there.at(-1)).toEqual({ omitted: `and ${(1_000_000 - there.length + 1).toLocaleString('en-US')} more` });
  expect(looked).toBeLessThan(2_000);
  const few = await failure(line.caller.request({ ...Sum, payload: refusing(256) }, 1, { validate: true }));
  expect(few.details).toHaveLength(256);
});

it('of a name that the caller chose 512 characters are told, however many faults lie behind it', async () => {
  const line = gridLine();
  const lists = z.record(z.string(), z.array(z.number()));
  const Sums = defineRequest({ id: 27, name: 'sums', payload: lists });
  line.handle(27, () => 'ok', { payloadSchema: lists });
  const name = 'n'.repeat(1_000_000);
  const wrong: unknown = { [name]: Array.from({ length: 256 }, () => 'x') };
  const error = await failure(line.caller.request(Sums, wrong as Record<string, number[]>, { validate: true }));
  const details = error.details as { path: string }[];
  expect(details.map(({ path }) => path)).toEqual(Array.from({ length: 256 }, () => `${'n'.repeat(512)}…`));
  expect(error.message.length).toBeLessThan(6_000);
  expect(await failure(line.caller.request(Sums, wrong as Record<string, number[]>))).toMatchObject({ remote: true });
  // a path that is deep, and a message that repeats what it does not know
  const issue = { path: Array.from({ length: 1_000_000 }, () => 'p'), message: name };
  const deep: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [issue] }) } };
  const { details: kept } = await failure(line.caller.request({ ...Sums, payload: deep }, 1, { validate: true }));
  expect(kept).toEqual([{ path: `${'p.'.repeat(256)}…`, message: `${'n'.repeat(512)}…` }]);
});

it('a name that the caller chose makes no line of its own in the text', async () => {
  const line = gridLine();
  const numbers = z.record(z.string(), z.number());
  const Count = defineRequest({ id: 28, name: 'count', payload: numbers });
  line.handle(28, () => 'ok', { payloadSchema: numbers });
  const wrong: unknown = { 'a\nERROR \u001b[31mall is lost': 'x' };
  const error = await failure(line.caller.request(Count, wrong as Record<string, number>));
  expect(error.message).toMatch(/^the payload does not fit the contract: a ERROR \[31mall is lost: /);
  expect(error.details).toMatchObject([{ path: 'a\nERROR \u001b[31mall is lost' }]);
});

it('a schema that changes values does so at the handler once, and for what comes back at the caller', async () => {
  const line = gridLine();
  const text = z.string().transform((given) => `${given}!`);
  const Shout = defineRequest({ id: 23, name: 'shout', payload: text, result: text });
  line.handle(23, (payload) => payload, { payloadSchema: text });
  await expect(line.caller.request(Shout, 'hey', { validate: true })).resolves.toBe('hey!!');
  await expect(line.caller.request(Shout, 'hey')).resolves.toBe('hey!');
});

it('where it gives another type, handlers give what goes in and callers that check get what comes out', async () => {
  const line = gridLine();
  const length = z.string().transform((given) => given.length);
  const Measure = defineRequest({ id: 24, name: 'measure', result: length });
  const Lengths = defineStream({ id: 25, name: 'lengths', input: length, output: length, inCapacity: 4 });
  line.handle(24, () => 'four');
  const typesOf = async function* (_: unknown, { input }: CallContext): AsyncGenerator<string> {
    for await (const message of input) yield typeof message;
  };
  line.handle(25, typesOf, { kind: 'stream', inCapacity: 4, inputSchema: length });
  await expect(line.caller.request(Measure)).resolves.toBe('four');
  await expect(line.caller.request(Measure, undefined, { validate: true })).resolves.toBe(4);
  const lengths = (options: object): Promise<unknown[]> =>
    collect(line.caller.stream(Lengths, undefined, { input: ['a'], ...options }));
  await expect(lengths({})).resolves.toEqual(['number']);
  await expect(lengths({ validate: true })).resolves.toEqual([6]);
});
