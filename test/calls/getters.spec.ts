// What a value's getters do while it is encoded: the memory that it is written into may be the link's own.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Subject } from 'rxjs';
import type { GridCall } from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;

beforeEach(() => {
  line = gridLine();
  line.handle(60, (payload) => payload);
});
afterEach(() => line.pair.cut());

/** A value that does something while it is encoded, and is the text then. */
const doing = (text: string, action: () => void): object => ({
  toJSON: () => {
    action();
    return text;
  },
});

describe('a value that sends while it is encoded', () => {
  it('as a payload and as an answer: both calls have their own', async () => {
    const seen: unknown[] = [];
    const ask = (text: string): void => void line.caller.request(60, text).then((value) => seen.push(value));
    line.handle(62, (payload) => doing(`answer to ${String(payload)}`, () => ask('from the answer')));
    const outer = doing('outer', () => ask('inner'));
    expect(await line.caller.request(62, outer)).toBe('answer to outer');
    await turn();
    expect(seen).toEqual(['inner', 'from the answer']);
  });

  it('what its options send is no matter of its payload', async () => {
    const ask = (text: string): void => void line.caller.request(60, text);
    const parent = { getMetadata: () => (ask('by the parent'), undefined), signal: undefined, deadline: undefined };
    const metadata = {
      get key() {
        ask('by the metadata');
        return 'value';
      },
    };
    expect(await line.caller.request(60, 'its own', { parent: parent as never })).toBe('its own');
    expect(await line.caller.request(60, 'its own', { metadata })).toBe('its own');
    const streamed = line.caller.stream(60, 'its own', { parent: parent as never, metadata });
    expect(await collect(streamed)).toEqual(['its own']);
  });

  it('what its trace context does as text is never asked: only strings travel', async () => {
    line.handle(61, (_payload, context) => context.getMetadata());
    let asked = 0;
    const traceparent = { toString: () => String(asked++) } as unknown as string;
    const options = { traceContext: { traceparent, baggage: 5 as unknown as string, tracestate: 'a=b' } };
    expect(await line.caller.request(61, 1, options)).toEqual({ tracestate: 'a=b' });
    expect(await line.caller.request(61, 1, { traceContext: { traceparent } })).toEqual({});
    expect(asked).toBe(0);
  });

  it('what its options hand on is asked for when the answer has been read', async () => {
    line.handle(61, (_payload, context) => (context.setResponseMetadata('a', 'b'), 1));
    const { a } = line.pair;
    const receive = a.receive.bind(a);
    let reading = false;
    a.receive = (...args) => {
      reading = true;
      receive(...args);
      reading = false;
    };
    const told: unknown[] = [];
    const onMetadata = (metadata: object): void => void told.push({ ...metadata, reading });
    // it may throw, and nobody but the application may hear of that
    const asked = Object.defineProperty({}, 'onMetadata', { get: () => (told.push(reading), onMetadata) });
    await line.caller.request(61, 1, asked);
    await collect(line.caller.stream(61, 1, asked));
    await line.caller.send(61, 1, asked).forEach(() => {});
    await turn();
    expect(told).toEqual(Array(3).fill([false, { a: 'b', reading: false }]).flat());
  });

  it('as a message that is written: what took its credit comes first, and both are whole', async () => {
    line.handle(
      61,
      async function* (_payload, { input }) {
        for await (const message of input) yield message;
      },
      { kind: 'stream', inCapacity: 1 },
    );
    const call: GridCall = line.caller.stream(61, undefined, { inCapacity: 1 });
    await turn();
    void call.write(doing('outer', () => void call.write('inner')));
    const between = line.caller.request(60, 'between');
    void call.write('last');
    call.end();
    expect(await collect(call)).toEqual(['inner', 'outer', 'last']);
    expect(await between).toBe('between');
  });

  it('as a message of an Observable: the same', async () => {
    const subject = new Subject<unknown>();
    line.handle(61, () => subject, { kind: 'stream', outCapacity: 1, outBuffer: 10 });
    const call = line.caller.stream(61);
    await turn();
    subject.next(doing('outer', () => subject.next('inner')));
    expect(await line.caller.request(60, 'between')).toBe('between');
    subject.next('last');
    subject.complete();
    expect(await collect(call)).toEqual(['inner', 'outer', 'last']);
  });
});
