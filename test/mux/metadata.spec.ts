import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { GridError, GRID_CODES } from '../../lib/errors/index.js';
import type { CallHandler, HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { errorMetadata, failureOf, ownMetadata } from '../../lib/mux/error-metadata.js';
import {
  encodeMuxConnectError,
  METADATA_BYTES,
  metadataSize,
  type Extension,
  type Metadata,
} from '../../lib/wire/index.js';
import { muxPair } from './mux-pair.js';
import { bytes, SoloMux } from './solo-mux.js';

const ALL: readonly Extension[] = ['meta', 'error', 'capacity', 'cancel', 'upgrade'];
const init = (metadata?: Metadata) => ({
  handler: 60,
  subroute: undefined,
  payload: undefined,
  timeoutMs: undefined,
  metadata,
});
const streamInit = (metadata?: Metadata) => ({
  ...init(metadata),
  input: false,
  inCapacity: undefined,
  outCapacity: undefined,
});

function request(handler: Partial<CallHandler>, metadata?: Metadata, extensions = ALL) {
  const pair = muxPair({ extensions, handlersB: { 60: { inCapacity: 0, outCapacity: 2, ...handler } } });
  return new Promise<{ payload?: Uint8Array | undefined; error?: GridError; metadata: Metadata | undefined }>(
    (resolve) => {
      pair.a.openRequest(init(metadata), {
        onResponse: (payload, own) => resolve({ payload, metadata: own }),
        onError: (error, own) => resolve({ error, metadata: own }),
      });
    },
  );
}

describe('metadata (spec §11, meta)', () => {
  it('travels with a request, and back with its answer', async () => {
    let seen: Metadata | undefined;
    const onRequest = (call: IncomingRequest) => {
      seen = call.metadata;
      call.respond(bytes('x'), { took: '3 ms' });
    };
    expect(await request({ onRequest }, { traceparent: '00-1-2-01' })).toMatchObject({ metadata: { took: '3 ms' } });
    expect(seen).toEqual({ traceparent: '00-1-2-01' });
  });

  it('travels with a stream, and back with its end', async () => {
    let seen: Metadata | undefined;
    const onStream = (call: HandlerStream) => {
      seen = call.metadata;
      call.output.send(bytes('x'));
      call.output.end({ rows: '1' });
    };
    const pair = muxPair({ extensions: ALL, handlersB: { 60: { onStream, inCapacity: 0, outCapacity: 1 } } });
    const call = pair.a.openStream(streamInit({ tenant: 'a' }));
    await pair.settle();
    call.output.take();
    await pair.settle();
    expect(call.output.end).toEqual({ error: undefined });
    expect([seen, call.responseMetadata]).toEqual([{ tenant: 'a' }, { rows: '1' }]);
  });

  it('is refused locally where the peer cannot carry it, and the answer leaves its own out', async () => {
    const extensions: Extension[] = ['capacity', 'cancel', 'upgrade'];
    const pair = muxPair({ extensions });
    expect(() => pair.a.openRequest(init({ a: 'b' }), { onResponse() {}, onError() {} })).toThrow('takes no metadata');
    expect(() => pair.a.openStream(streamInit({}))).toThrow('takes no metadata');
    const onRequest = (call: IncomingRequest) => call.respond(undefined, { took: '3 ms' });
    expect(await request({ onRequest }, undefined, extensions)).toEqual({ payload: undefined, metadata: undefined });
  });

  it('over 8,192 bytes it is refused locally; what comes is refused, what is answered ends the call', () => {
    const solo = new SoloMux({
      extensions: ALL,
      handlers: { 60: { onRequest: () => {}, inCapacity: 0, outCapacity: 1 } },
    });
    const thrown = () => solo.mux.openRequest(init({ big: 'x'.repeat(8192) }), { onResponse() {}, onError() {} });
    // no option lets more through, so none is named
    const message = expect.stringMatching(/is over the 8192 bytes that a message may carry$/);
    expect(thrown).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', notSent: true, message }));
    solo.receive(14, 5, { handler: 60, metadata: {}, metadataBytes: METADATA_BYTES + 1 });
    expect(solo.take()).toMatchObject([{ op: 6, muxId: 5 }]);
    expect(solo.mux.running).toBe(0);
    const errors: GridError[] = [];
    solo.mux.openRequest(init(), { onResponse() {}, onError: (error) => errors.push(error) });
    solo.receive(15, solo.take()[0]!.muxId, { metadata: {}, metadataBytes: METADATA_BYTES + 1 });
    expect(errors).toMatchObject([{ code: 'RESOURCE_EXHAUSTED', message, notSent: false }]);
    // of a refusal nothing but that it is one is believed
    const refusal = { metadata: {}, metadataBytes: METADATA_BYTES + 1, payload: encodeMuxConnectError('no room') };
    solo.mux.openRequest(init(), { onResponse() {}, onError: (error) => errors.push(error) });
    const call = solo.mux.openStream(streamInit());
    for (const { muxId } of solo.take()) solo.receive(6, muxId, refusal);
    const refused = { code: 'RESOURCE_EXHAUSTED', message, notSent: true };
    expect([errors[1], call.output.end?.error]).toMatchObject([refused, refused]);
  });
});

describe('errors with a code (spec §11, error)', () => {
  it.each(GRID_CODES)('%s crosses the wire with its details; notSent never does', async (code) => {
    const onRequest = (call: IncomingRequest) =>
      call.fail(new GridError(code, 'no: ü', { details: { paths: ['a.b'] }, notSent: true }), { took: '1 ms' });
    const { error, metadata } = await request({ onRequest });
    expect(error).toMatchObject({ code, message: 'no: ü', details: { paths: ['a.b'] }, remote: true, notSent: false });
    expect(metadata).toEqual({ took: '1 ms' });
  });

  it('that UTF-8 has no form for is refused before it is sent; a trace is left out', async () => {
    const solo = new SoloMux();
    const deaf = { onResponse() {}, onError() {} };
    const open = (more: object) => () => solo.mux.openRequest({ ...init(), ...more }, deaf);
    let thrown: unknown;
    try {
      open({ metadata: { key: '\ud800' } })();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT', notSent: true });
    for (const traceparent of ['\ud800', undefined]) {
      open({ metadata: { tenant: 'a' }, traceContext: { traceparent } })();
      expect(solo.sent.at(-1)!.metadata).toEqual({ tenant: 'a' });
    }
  });

  it('own metadata travels with errors also to a peer that knows no codes; no refusal has any', async () => {
    const extensions: Extension[] = ['meta'];
    const error = new GridError('NOT_FOUND', 'no');
    const onRequest = (call: IncomingRequest) => call.fail(error, { took: '1 ms' });
    expect(await request({ onRequest }, undefined, extensions)).toMatchObject({
      error: { code: 'UNKNOWN', message: 'no' },
      metadata: { took: '1 ms' },
    });
    const onStream = (call: HandlerStream) => call.output.fail(error, { took: '2 ms' });
    for (const known of [extensions, ALL]) {
      const handlersB = { 60: { onStream, inCapacity: 0, outCapacity: 1 } };
      const pair = muxPair({ extensions: known, handlersB });
      const call = pair.a.openStream(streamInit());
      await pair.settle();
      expect([call.output.end?.error?.message, call.responseMetadata]).toEqual(['no', { took: '2 ms' }]);
    }
    const refusal = await request({ onRequest, admit: () => error }, undefined, extensions);
    expect(refusal).toMatchObject({ error: { notSent: true }, metadata: undefined });
  });

  it('a refusal carries its code and says notSent', async () => {
    const admit = () => new GridError('RESOURCE_EXHAUSTED', 'busy');
    expect(await request({ onRequest: () => {}, admit })).toMatchObject({
      error: { code: 'RESOURCE_EXHAUSTED', message: 'busy', remote: true, notSent: true },
    });
  });

  it('an end made by the protocol carries its code', async () => {
    const solo = new SoloMux({
      extensions: ALL,
      handlers: { 60: { onStream: () => {}, inCapacity: 1, outCapacity: 1 } },
    });
    solo.receive(5, 7, { handler: 60 });
    solo.receive(9, 7, { seq: 9 });
    const end = solo.take().find((message) => message.op === 10)!;
    expect(JSON.parse(end.metadata!['grid-error']!)).toMatchObject({ code: 'DATA_LOSS' });
  });

  it.each([
    ['not JSON', '{', 'UNKNOWN'],
    ['no object', '"x"', 'UNKNOWN'],
    ['null', 'null', 'UNKNOWN'],
    ['no code', '{"message":"x"}', 'UNKNOWN'],
    ['an unknown code word', '{"code":"TEAPOT"}', 'UNKNOWN'],
    ['a code that is no string', '{"code":5}', 'UNKNOWN'],
    ['a code from a prototype', '{"__proto__":{"code":"ABORTED"}}', 'UNKNOWN'],
  ])('odd grid-error: %s', (_name, json, code) => {
    expect(failureOf('text', { 'grid-error': json })).toMatchObject({ code, message: 'text' });
  });

  it('falls back to the code of the text', () => {
    expect(failureOf('response blocked', { 'grid-error': '{' }).code).toBe('RESOURCE_EXHAUSTED');
    expect(failureOf('remote disconnected', undefined)).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
  });

  /** What the caller gets as details. */
  const arrived = (details: unknown, own?: Metadata, message = 'x'): unknown => {
    const metadata = errorMetadata(new GridError('ABORTED', message, { details }), own);
    expect(metadataSize(metadata)).toBeLessThanOrEqual(METADATA_BYTES);
    return failureOf(message, metadata).details;
  };
  const lines = (length: number): string[] => Array.from({ length }, (_, n) => `line ${n} must be an integer`);

  it('details that do not fit are said to be missing', () => {
    const omitted = 'details of 9,002 bytes: with the message and the metadata at most 8,192 fit';
    expect(arrived('d'.repeat(9000))).toEqual({ omitted });
    expect(arrived({ text: ['d'.repeat(8989)] })).toEqual({ omitted });
    expect(arrived(Array.from({ length: 4501 }, () => 1))).toMatchObject({ omitted: expect.any(String) });
    expect(arrived('d'.repeat(9000), undefined, 'm'.repeat(9000))).toEqual({ omitted });
    // where they are shorter than that sentence they stay
    expect(arrived({ bucket: 'photos' }, { k: 'v'.repeat(8100) }, 'm'.repeat(9000))).toEqual({ bucket: 'photos' });
  });

  it('lists keep their beginning and tell how many more there were', () => {
    const cut = arrived(lines(500)) as string[];
    expect(cut.slice(0, -1)).toEqual(lines(cut.length - 1));
    expect(cut.length).toBeGreaterThan(200);
    expect(cut.at(-1)).toBe(`and ${500 - cut.length + 1} more`);
    const { message, ...rest } = arrived({ message: lines(500), error: 'Bad Request', statusCode: 400 }) as {
      message: string[];
    };
    expect(rest).toEqual({ error: 'Bad Request', statusCode: 400 });
    expect(message.at(-1)).toBe(`and ${500 - message.length + 1} more`);
    const issues = lines(500).map((text, n) => ({ path: `lines.${n}`, message: text }));
    const some = arrived(issues) as unknown[];
    expect(some.slice(0, -1)).toEqual(issues.slice(0, some.length - 1));
    expect(some.at(-1)).toEqual({ omitted: `and ${500 - some.length + 1} more` });
    // cut once more where a host hands them on
    for (const list of [cut, some]) {
      const again = arrived(list, { k: 'v'.repeat(4000) }) as { omitted?: string }[] | string[];
      const last = again.at(-1)!;
      expect(typeof last === 'string' ? last : last.omitted).toBe(`and ${500 - again.length + 1} more`);
    }
    expect(arrived(lines(20_000), { k: 'v'.repeat(8000) })).toEqual([...lines(3), 'and 19,997 more']);
  });

  it('always fits: details go first, then the application’s metadata, then the end of the message', () => {
    const own = { k: 'v'.repeat(3000) };
    const big = errorMetadata(new GridError('ABORTED', 'm'.repeat(100), { details: 'd'.repeat(6000) }), own);
    expect(JSON.parse(big['grid-error']!)).toMatchObject({ code: 'ABORTED', message: 'm'.repeat(100) });
    expect(big['k']).toBeDefined();
    const bigger = errorMetadata(new GridError('ABORTED', '\n'.repeat(3000)), own);
    expect(Object.keys(bigger)).toEqual(['grid-error']);
    const biggest = errorMetadata(new GridError('ABORTED', '\n'.repeat(9000)), own);
    expect(metadataSize(biggest)).toBeLessThanOrEqual(METADATA_BYTES);
    expect(metadataSize(biggest)).toBeGreaterThan(METADATA_BYTES - 8);
  });

  it('of a text of any length no more is written than may fit: a peer may have sent what an error repeats', () => {
    const stringify = jest.spyOn(JSON, 'stringify');
    try {
      const metadata = errorMetadata(new GridError('ABORTED', '\u0001'.repeat(4_000_000)), { k: 'v' });
      expect(metadataSize(metadata)).toBeGreaterThan(METADATA_BYTES - 8);
      const written = stringify.mock.results.reduce((sum, { value }) => sum + String(value).length, 0);
      // each character is written as six, once for each attempt
      expect(written).toBeLessThan(20 * 6 * METADATA_BYTES);
    } finally {
      stringify.mockRestore();
    }
  });

  it('details that JSON cannot hold are said to be missing', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    for (const details of [
      cyclic,
      1n,
      () => {},
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ]) {
      expect(arrived(details)).toEqual({ omitted: 'details that JSON cannot hold: a cycle, a bigint, a function' });
    }
  });

  it('any error comes back as it was, within 8,192 bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...GRID_CODES),
        fc.string({ unit: 'binary', maxLength: 5000 }),
        fc.jsonValue(),
        (code, message, details) => {
          const metadata = errorMetadata(new GridError(code, message, { details }), { own: 'x' });
          expect(metadataSize(metadata)).toBeLessThanOrEqual(METADATA_BYTES);
          expect(failureOf(message, metadata).code).toBe(code);
          expect(ownMetadata(metadata) ?? {}).not.toHaveProperty('grid-error');
        },
      ),
      { numRuns: 300 },
    );
  });
});
