// Wire spec §11, the last column: what a call is towards a peer without an extension.
import { afterEach, describe, expect, it } from '@jest/globals';
import { defineStream } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { EXTENSIONS, Flag, Op, type Extension } from '../../lib/wire/index.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;

/** A line to a peer that has every extension but one, and those that need it. */
function without(missing: Extension): GridLine {
  const needs: Partial<Record<Extension, Extension[]>> = { error: ['meta'], upgrade: ['capacity', 'cancel'] };
  const extensions = EXTENSIONS.filter((name) => name !== missing && !needs[name]?.includes(missing));
  return (line = gridLine({ extensions }));
}

afterEach(() => line.pair.cut());

describe('meta', () => {
  it('explicit metadata fails the call locally, each kind of call', async () => {
    const { caller } = without('meta');
    const options = { metadata: { a: 'b' } };
    const expected = { code: 'FAILED_PRECONDITION', notSent: true, remote: false };
    expect(await failure(caller.request(60, 1, options))).toMatchObject(expected);
    expect(await failure(caller.emit(60, 1, options))).toMatchObject(expected);
    expect(await failure(caller.stream(60, 1, options).done)).toMatchObject(expected);
    await expect(caller.send(60, 1, options).forEach(() => {})).rejects.toMatchObject(expected);
    expect(line.pair.aToB.delivered).toEqual([]);
  });

  it('trace context is left out, and so is what the handler gives along', async () => {
    const { caller, handle } = without('meta');
    const told: unknown[] = [];
    handle(60, (_payload, context) => {
      context.setResponseMetadata('took', '3 ms');
      return Object.keys(context.getMetadata());
    });
    const options = { traceContext: { traceparent: '00-1-2-01' }, onMetadata: (given: unknown) => told.push(given) };
    expect(await caller.request(60, 1, options)).toEqual([]);
    expect(await collect(caller.stream(60, 1, options))).toEqual([[]]);
    expect(told.filter((given) => Object.keys(given as object).length > 0)).toEqual([]);
    const all = [...line.pair.aToB.delivered, ...line.pair.bToA.delivered];
    expect(all.filter(({ flags, metadata }) => flags & Flag.Metadata || metadata)).toEqual([]);
  });
});

it('error: the text travels, its code is what the text says, details stay', async () => {
  const { caller, handle } = without('error');
  handle(60, (payload) => {
    throw new GridError('ABORTED', payload as string, { details: { secret: true } });
  });
  expect(await failure(caller.request(60, 'conflict'))).toMatchObject({
    code: 'UNKNOWN',
    message: 'conflict',
    details: undefined,
  });
  expect(await failure(caller.request(60, 'response blocked'))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  expect(await failure(collect(caller.stream(60, 'context canceled')))).toMatchObject({ code: 'CANCELLED' });
  expect(await failure(caller.request(61))).toMatchObject({ code: 'UNIMPLEMENTED', notSent: true });
  // the metadata of an answer still travels, without the error in it
  const { metadata } = line.pair.bToA.delivered.at(-1)!;
  expect(metadata ?? {}).not.toHaveProperty('grid-error');
});

it('cancel: it is local, the handler runs to its end', async () => {
  const { caller, handle } = without('cancel');
  let ended = false;
  let aborted = false;
  let finish!: () => void;
  handle(60, async (_payload, { signal }) => {
    signal.addEventListener('abort', () => (aborted = true));
    await new Promise<void>((resolve) => (finish = resolve));
    ended = true;
  });
  const cancel = new AbortController();
  const call = failure(caller.request(60, {}, { signal: cancel.signal }));
  await line.pair.settle();
  cancel.abort();
  expect(await call).toMatchObject({ code: 'CANCELLED', notSent: false });
  await line.pair.settle();
  expect(line.pair.aToB.delivered.map(({ op }) => op)).toEqual([Op.Request]);
  expect([aborted, line.pair.b.running]).toEqual([false, 1]);
  finish();
  await line.pair.settle();
  expect([ended, line.pair.b.running]).toEqual([true, 0]);
});

it('capacity: contract or options tell; nobody tells: no input, and the cap of unread messages', async () => {
  const { caller, handle } = without('capacity');
  const Echo = defineStream<void, string, string>({ id: 65, name: 'echo', inCapacity: 2, outCapacity: 2 });
  const echo = async function* (_payload: unknown, { input }: { input: AsyncIterable<unknown> }): AsyncGenerator {
    yield* input;
  };
  handle(65, echo, { kind: 'stream', inCapacity: 2, outCapacity: 2 });
  const input = ['a', 'b', 'c', 'd'];
  expect(await collect(caller.stream(Echo, undefined, { input }))).toEqual(input);
  expect(await collect(caller.stream(65, undefined, { input, inCapacity: 2 }))).toEqual(input);
  expect(await collect(caller.stream(65, undefined, { input }))).toEqual([]);
  const ack = line.pair.bToA.delivered.find(({ op }) => op === Op.AckMux)!;
  expect(ack.payload).toBeUndefined();
});

it('upgrade: send() is a plain request; a second value is FAILED_PRECONDITION', async () => {
  const { caller, handle } = without('upgrade');
  handle(60, () => 'one');
  handle(61, async function* () {
    yield 1;
    yield 2;
  });
  const read: unknown[] = [];
  await caller.send(60).forEach((value) => void read.push(value));
  expect(read).toEqual(['one']);
  await expect(caller.send(61).forEach(() => {})).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'streams: call stream()',
  });
  expect(line.pair.aToB.delivered.filter(({ flags }) => flags & Flag.Many)).toEqual([]);
  // the deadline of a plain request is always there
  expect(line.pair.aToB.delivered[0]!.deadlineMs).toBe(60_000);
});

describe('a stream asked of a handler that gives single answers only', () => {
  const refusal = { code: 'UNIMPLEMENTED', remote: true, notSent: true, pattern: '60' };

  it('says so where the extension error tells', async () => {
    line = gridLine();
    line.handle(60, () => 1, { kind: 'request' });
    const text = 'Invalid Handler for type: 60';
    const message = `${text}: http://b:9000 has no stream handler for 60: call request()`;
    expect(await failure(collect(line.caller.stream(60)))).toMatchObject({ ...refusal, message });
    expect(await failure(collect(line.caller.stream(61)))).toMatchObject({
      message: 'Invalid Handler for type: 61: http://b:9000 has no handler for 61',
    });
  });

  it('says of an event that it is one', async () => {
    line = gridLine();
    line.handle(60, () => {}, { kind: 'event' });
    const message = 'Invalid Handler for type: 60: 60 is an event at http://b:9000: call emit()';
    expect(await failure(collect(line.caller.stream(60)))).toMatchObject({ ...refusal, message });
  });

  it('is an unknown handler without it', async () => {
    without('error').handle(60, () => 1, { kind: 'request' });
    const message = 'Invalid Handler for type: 60: http://b:9000 has no handler for 60';
    expect(await failure(collect(line.caller.stream(60)))).toMatchObject({ ...refusal, message });
  });
});
