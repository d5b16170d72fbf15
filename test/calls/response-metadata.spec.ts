// What a handler gives along with its answer, when it is more than the wire carries, or odd.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { concat, lastValueFrom, of, throwError } from 'rxjs';
import type { CallOptions } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;

beforeEach(() => {
  line = gridLine();
});
afterEach(() => {
  expect([line.pair.a.outgoing, line.pair.b.incoming, line.pair.b.running]).toEqual([0, 0, 0]);
  line.pair.cut();
});

const BIG = 'x'.repeat(9_000);
const both = (key: string, value: string): void => {
  line.handle(60, (fail, context) => {
    context.setResponseMetadata(key, value);
    if (fail) throw new GridError('ABORTED', 'no', { details: { at: 1 } });
    return 'fine';
  });
};

it('too much of it is told to the handler where it asks for it; what was set before still travels', async () => {
  const told: unknown[] = [];
  const options = { onMetadata: (metadata: unknown) => void told.push({ ...(metadata as object) }) };
  both('big', BIG);
  const expected = { code: 'RESOURCE_EXHAUSTED', message: expect.stringMatching(/^setResponseMetadata/), remote: true };
  expect(await failure(line.caller.request(60))).toMatchObject(expected);
  expect(await failure(collect(line.caller.stream(60)))).toMatchObject(expected);
  line.handle(61, (_payload, context) => {
    context.setResponseMetadata('first', '1');
    expect(() => context.setResponseMetadata('big', BIG)).toThrow('over the 8192 bytes');
    context.setResponseMetadata('k', 'v'.repeat(8192 - 1 - 6 - 2 - 2 - 3));
    return 'fine';
  });
  await expect(line.caller.request(61, 1, options)).resolves.toBe('fine');
  expect(told).toEqual([{ first: '1', k: expect.stringMatching(/^v{8178}$/) }]);
});

it('with an error it stays, and the details of the error go', async () => {
  const told: object[] = [];
  const options = { onMetadata: (metadata: object) => void told.push(metadata) };
  both('big', 'x'.repeat(8_120));
  const expected = { code: 'ABORTED', message: 'no', details: undefined };
  expect(await failure(line.caller.request(60, true, options))).toMatchObject(expected);
  expect(await failure(collect(line.caller.stream(60, true, options)))).toMatchObject(expected);
  expect(told.map((metadata) => Object.keys(metadata))).toEqual([['big'], ['big']]);
});

it('goes with the error of a result that cannot be sent, too', async () => {
  const told: object[] = [];
  line.handle(60, (_payload, context) => {
    context.setResponseMetadata('took', '3 ms');
    return 1n;
  });
  const options = { onMetadata: (metadata: object) => void told.push(metadata) };
  for (const call of [line.caller.request(60, 1, options), collect(line.caller.stream(60, 1, options))]) {
    expect((await failure(call)).message).toBe('Internal server error');
  }
  expect(told).toMatchObject([{ took: '3 ms' }, { took: '3 ms' }]);
});

/** A stream of one message, and metadata with its end, by which time the reader waits. */
const lateMetadata = (): void => {
  line.handle(60, async function* (_payload, context) {
    yield 1;
    await turn();
    await turn();
    context.setResponseMetadata('took', '3 ms');
  });
};

it('is there in the line behind the loop', async () => {
  lateMetadata();
  const told: unknown[] = [];
  for await (const message of line.caller.stream(60, undefined, { onMetadata: (metadata) => told.push(metadata) })) {
    expect([message, told]).toEqual([1, []]);
  }
  expect(told).toEqual([{ took: '3 ms' }]);
});

it.each<[string, (options: CallOptions) => Promise<unknown>]>([
  ['a request', (options) => line.caller.request(60, undefined, options)],
  ['a Readable', (options) => collect(line.caller.stream(60, undefined, options).toReadable())],
  ['an Observable', (options) => lastValueFrom(line.caller.stream(60, undefined, options).toObservable())],
  ['a call that is done', (options) => line.caller.stream(60, undefined, options).done],
  ['an answer of send', (options) => lastValueFrom(line.caller.send(60, undefined, options))],
])('is there when %s has come to its end', async (_kind, ask) => {
  lateMetadata();
  const told: unknown[] = [];
  await ask({ onMetadata: (metadata) => told.push({ ...metadata }) });
  expect(told).toEqual([{ took: '3 ms' }]);
});

const brokenOff = async function* (): AsyncGenerator {
  try {
    yield 1n;
  } finally {
    await turn();
  }
};

it.each<[string, () => unknown]>([
  ['an Observable that fails', () => throwError(() => new GridError('ABORTED', 'no'))],
  ['an Observable that fails behind its values', () => concat(of(1, 2), throwError(() => new Error('no')))],
  ['a generator that is cleaned up behind the error', brokenOff],
])('it goes with the error of %s', async (_, result) => {
  line.handle(60, (_payload, context) => {
    context.setResponseMetadata('took', '3 ms');
    return result();
  });
  const told: unknown[] = [];
  const options = { onMetadata: (metadata: object) => void told.push({ ...metadata }) };
  await failure(line.caller.request(60, undefined, options));
  await failure(collect(line.caller.stream(60, undefined, options)));
  await failure(lastValueFrom(line.caller.send(60, undefined, options)));
  await line.pair.settle();
  expect(told).toEqual(Array(3).fill({ took: '3 ms' }));
});

it.each([
  ['a lone surrogate in the key', '\ud800', 'x'],
  ['a lone surrogate in the value', 'k', '\udfff'],
  ['a value that is no string', 'k', 5 as unknown as string],
  ['a key that is no string', 7 as unknown as string, 'x'],
  ["the protocol's own key", 'grid-error', '{"code":"NOT_FOUND"}'],
])('%s fails the handler, and its caller gets an answer', async (_, key, value) => {
  both(key, value);
  const expected = { code: 'INTERNAL', message: expect.stringMatching(/^setResponseMetadata/), remote: true };
  expect(await failure(line.caller.request(60))).toMatchObject(expected);
  expect(await failure(collect(line.caller.stream(60)))).toMatchObject(expected);
});
