// Wire spec §11: meta and error, both ways.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CRC, EOF, ERR, METADATA, muxConnectError, op, SUBROUTE, subrouteId, type RawMessage } from './raw-codec.js';
import { body, map, Reader, readMap, str, uint } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import { RawStream } from './raw-stream.js';
import { Stage } from './stage.js';

const META = ['meta'];
const ERROR = ['meta', 'error'];

let stage: Stage;
let host: string;

beforeAll(async () => {
  stage = await Stage.set();
  host = stage.dialers[0]!;
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

const one = (key: string, value: string): Buffer => map([[key, str(value)]]);

/** A map of one pair that is so many bytes long. */
function sized(bytes: number): Buffer {
  const encoded = one('k', 'v'.repeat(bytes - 1 - 2 - 3));
  if (encoded.length !== bytes) throw new Error(`${encoded.length} bytes`);
  return encoded;
}

/** A string header of the given width in bytes. */
function wideStr(text: string, width: 1 | 2 | 4): Buffer {
  const head = Buffer.alloc(1 + width);
  head[0] = { 1: 0xd9, 2: 0xda, 4: 0xdb }[width];
  head.writeUIntBE(Buffer.byteLength(text), 1, width);
  return Buffer.concat([head, Buffer.from(text)]);
}

const withMetadata = (metadata: Buffer) => ({ flags: CRC | EOF | METADATA, metadata });

/** What the last message of a call says beside its payload. */
function gridError(message: RawMessage): unknown {
  const metadata = readMap(new Reader(message.metadata!));
  expect(Object.keys(metadata)).toEqual(['grid-error']);
  return JSON.parse(String(metadata['grid-error']));
}

describe('meta, the node as the handler side', () => {
  test.each<[string, Buffer, Record<string, string>]>([
    ['none at all', map([]), {}],
    [
      'two keys',
      map([
        ['b', str('2')],
        ['a', str('1')],
      ]),
      { a: '1', b: '2' },
    ],
    ['the empty key', one('', 'x'), { '': 'x' }],
    ['a map16 and a str8', Buffer.concat([Buffer.from([0xde, 0, 1]), wideStr('a', 1), wideStr('1', 1)]), { a: '1' }],
    [
      'a map32 and a str16',
      Buffer.concat([Buffer.from([0xdf, 0, 0, 0, 1]), wideStr('a', 2), wideStr('1', 2)]),
      { a: '1' },
    ],
    ['a str32', Buffer.concat([Buffer.from([0x81]), wideStr('a', 4), wideStr('ü', 4)]), { a: 'ü' }],
    ['8,192 bytes', sized(8192), { k: 'v'.repeat(8192 - 6) }],
    ['a key of every prototype', one('constructor', 'x'), { constructor: 'x' }],
  ])('72 tells of %s', async (_, metadata, told) => {
    const peer = await stage.peer({ ext: META });
    const answer = await peer.call(72, '', withMetadata(metadata));
    expect(JSON.parse(answer.payload.toString())).toEqual(told);
    expect(answer.flags).toBe(CRC | EOF);
  });

  test('a key __proto__ is a key like any other', async () => {
    const peer = await stage.peer({ ext: META });
    const { payload } = await peer.call(72, '', withMetadata(one('__proto__', 'x')));
    expect(payload.toString()).toBe('{"__proto__":"x"}');
  });

  test('it stands before the subroute id', async () => {
    const peer = await stage.peer({ ext: META });
    const answer = await peer.call(60, 'x', {
      ...withMetadata(one('a', 'b')),
      flags: CRC | EOF | METADATA | SUBROUTE,
      subroute: subrouteId(60, 'sub/route'),
    });
    expect(answer.payload.toString()).toBe('sub/route:x');
  });

  test.each([60, 63])('past 8,192 bytes the call of %i is refused, the connection lives on', async (handler) => {
    const peer = await stage.peer({ ext: META });
    const muxId = peer.newMux();
    const opening = handler === 60 ? op.Request : op.ConnectMux;
    peer.send({ op: opening, handler, muxId, payload: '1,1', ...withMetadata(sized(8193)) });
    const refusal = await peer.next({ op: op.MuxConnectError, muxId });
    expect(String(body(refusal.payload)['Error'])).toContain('8193');
    await peer.settle();
  });

  test.each<[string, Buffer]>([
    ['a key twice', Buffer.concat([Buffer.from([0x82]), str('a'), str('1'), str('a'), str('2')])],
    ['a value that is a number', map([['a', uint(1)]])],
    ['a key that is a number', Buffer.concat([Buffer.from([0x81]), uint(1), str('a')])],
    ['a string that is not UTF-8', Buffer.from([0x81, 0xa1, 0xff, 0xa1, 0x61])],
    ['no map', str('a')],
    ['bytes left over', Buffer.concat([one('a', 'b'), str('c')])],
    ['a map that is cut off', Buffer.from([0x82, 0xa1, 0x61, 0xa1, 0x62])],
  ])('%s ends the connection', async (_, metadata) => {
    const peer = await stage.peer({ ext: META });
    peer.ask(72, '', withMetadata(metadata));
    expect((await peer.closed).code).toBe(1002);
  });

  test.each([op.MuxClientMsg, op.UnblockSrvMux, op.Ping, op.DisconnectServerMux])(
    'on a message with op %i it is an unknown flag',
    async (code) => {
      const peer = await stage.peer({ ext: META });
      const { muxId } = await RawStream.opened(peer, 69, '', { input: true });
      peer.send({ op: code, muxId, seq: 1, flags: CRC | METADATA, metadata: map([]) });
      expect((await peer.closed).code).toBe(1002);
    },
  );
});

describe('meta, the node as the caller', () => {
  test('sends what the caller gave', async () => {
    const peer = await stage.linked({ ext: META });
    const answered = stage.node.call(host, 80, { metadata: { tenant: 'ü', '': 'empty key' } });
    const call = await RawHandler.called(peer, { op: op.Request });
    expect(call.opening.flags).toBe(CRC | EOF | METADATA);
    expect(call.opening.metadata).toEqual(
      map([
        ['tenant', str('ü')],
        ['', str('empty key')],
      ]),
    );
    call.respond('x');
    await answered;
  });

  test('8,192 bytes go, one more fails before anything is sent', async () => {
    const peer = await stage.linked({ ext: META });
    const answered = stage.node.call(host, 80, { metadata: { k: 'v'.repeat(8192 - 6) } });
    const call = await RawHandler.called(peer, { op: op.Request });
    expect(call.opening.metadata).toEqual(sized(8192));
    call.respond('x');
    await answered;
    expect(await stage.node.call(host, 80, { metadata: { k: 'v'.repeat(8193 - 6) } })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      remote: false,
    });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test.each([
    ['a Response', op.Response],
    ['the end of a stream', op.MuxServerMsg],
  ])('takes it with %s; past 8,192 bytes the call has failed', async (_, code) => {
    const peer = await stage.linked({ ext: META });
    for (const [metadata, error] of [
      [sized(8192), undefined],
      [sized(8193), 'RESOURCE_EXHAUSTED'],
    ] as const) {
      const outcome = code === op.Response ? stage.node.call(host, 80) : stage.node.stream(host, 80);
      const call = new RawHandler(peer, await peer.next({ handler: 80 }));
      if (code === op.MuxServerMsg) call.ack();
      peer.send({ op: code, muxId: call.muxId, seq: call.seq, ...withMetadata(metadata) });
      const expected = error && { code: error, remote: false };
      const answer = expected ?? { payload: null };
      expect(await outcome).toMatchObject(code === op.Response ? answer : { error: expected ?? null });
    }
    await peer.settle();
  });

  test('on a message before the end it is an unknown flag', async () => {
    const peer = await stage.linked({ ext: META });
    const done = stage.node.stream(host, 80);
    const call = await RawHandler.called(peer, { op: op.ConnectMux });
    call.ack();
    call.post({ op: op.MuxServerMsg, flags: CRC | METADATA, metadata: map([]), payload: 'x' });
    expect((await peer.closed).code).toBe(1002);
    expect((await done).error).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('error, the node as the handler side', () => {
  test('an error Response has its code in grid-error, its text as the payload', async () => {
    const peer = await stage.peer({ ext: ERROR });
    const answer = await peer.call(61, 'no: ü');
    const flags = CRC | EOF | ERR | METADATA;
    expect(answer).toMatchObject({ op: op.Response, flags, payload: Buffer.from('no: ü') });
    expect(gridError(answer)).toEqual({ code: 'UNKNOWN', message: 'no: ü' });
  });

  test('so has a refusal', async () => {
    const peer = await stage.peer({ ext: ERROR });
    const refusal = await peer.call(59, '');
    expect(body(refusal.payload)).toEqual({ Error: 'Invalid Handler for type: 59' });
    expect(gridError(refusal)).toMatchObject({ code: 'UNIMPLEMENTED', message: 'Invalid Handler for type: 59' });
  });

  test('so has the end of a stream, by its handler or by the protocol; the goodbye has none', async () => {
    const peer = await stage.peer({ ext: ERROR });
    const failing = RawStream.open(peer, 66, 'broken');
    const end = await failing.next({ op: op.MuxServerMsg, flags: CRC | EOF | ERR | METADATA });
    expect(gridError(end)).toEqual({ code: 'UNKNOWN', message: 'broken' });
    const blocked = await RawStream.opened(peer, 69, '', { input: true });
    blocked.write('1');
    blocked.write('2');
    const cut = await blocked.next({ op: op.MuxServerMsg, flags: CRC | EOF | ERR | METADATA });
    expect(gridError(cut)).toEqual({ code: 'FAILED_PRECONDITION', message: 'handler blocked' });
    for (const stream of [failing, blocked]) {
      expect((await stream.next({ op: op.DisconnectClientMux })).flags).toBe(CRC);
    }
  });

  test.each([
    ['\n', 5000],
    ['ü', 3000],
    ['\u0001', 4000],
  ])('a long text of %j fits 8,192 bytes, escaped and all', async (char, count) => {
    const peer = await stage.peer({ ext: ERROR });
    const answer = await peer.call(61, char.repeat(count));
    expect(answer.metadata!.length).toBeLessThanOrEqual(8192);
    const { message } = gridError(answer) as { message: string };
    expect(message.length).toBeGreaterThan(1_000);
    expect(char.repeat(count).startsWith(message)).toBe(true);
  });

  test('without meta, which it needs, only the text travels', async () => {
    const peer = await stage.peer({ ext: ['error'] });
    expect(peer.hello['Ext']).toEqual(['error']);
    expect(await peer.call(61, 'text')).toMatchObject({ flags: CRC | EOF | ERR, payload: Buffer.from('text') });
  });
});

describe('error, the node as the caller', () => {
  const said = (json: string) => ({ flags: CRC | EOF | ERR | METADATA, metadata: one('grid-error', json) });

  test.each([
    ['its code', 'no such file', '{"code":"NOT_FOUND","message":"other words"}', 'NOT_FOUND'],
    ['UNKNOWN for a code word that nobody knows', 'x', '{"code":"TEAPOT"}', 'UNKNOWN'],
    ['the code of the text where there is no JSON', 'context canceled', '{', 'CANCELLED'],
    ['the code of the text where the code is no string', 'context canceled', '{"code":1}', 'CANCELLED'],
    ['the code of the text where there is no object', 'handler blocked', '["NOT_FOUND"]', 'FAILED_PRECONDITION'],
  ])('an error Response has %s; its message is the payload', async (_, text, json, code) => {
    const peer = await stage.linked({ ext: ERROR });
    const failed = stage.node.call(host, 80);
    const { muxId } = await peer.next({ op: op.Request });
    peer.send({ op: op.Response, muxId, payload: text, ...said(json) });
    expect(await failed).toEqual({ code, message: text, remote: true });
  });

  test('a refusal and the end of a stream have one too', async () => {
    const peer = await stage.linked({ ext: ERROR });
    const refused = stage.node.call(host, 80);
    const { muxId } = await peer.next({ op: op.Request });
    const payload = muxConnectError('full');
    const { metadata } = said('{"code":"RESOURCE_EXHAUSTED"}');
    peer.send({ op: op.MuxConnectError, muxId, payload, metadata, flags: CRC | EOF | METADATA });
    expect(await refused).toEqual({ code: 'RESOURCE_EXHAUSTED', message: 'full', remote: true });
    const ended = stage.node.stream(host, 80);
    const call = await RawHandler.called(peer, { op: op.ConnectMux });
    call.ack();
    call.item('first');
    call.post({ op: op.MuxServerMsg, payload: 'late', ...said('{"code":"ABORTED"}') });
    expect(await ended).toEqual({ outputs: ['first'], error: { code: 'ABORTED', message: 'late', remote: true } });
  });
});
