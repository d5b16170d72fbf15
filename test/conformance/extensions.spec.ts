// Wire spec §11: capacity, cancel and Max, both ways.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { capacities, CRC, EOF, ERR, merged, encode, op } from './raw-codec.js';
import { body, map, uint } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import { RawStream } from './raw-stream.js';
import { Stage } from './stage.js';

let stage: Stage;
let host: string;

beforeAll(async () => {
  stage = await Stage.set();
  host = stage.dialers[0]!;
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

describe('capacity, the node as the handler side', () => {
  test.each([
    [63, 0, 1],
    [64, 4, 1],
    [65, 1, 1],
    [66, 0, 4],
    [67, 0, 1],
    [69, 1, 1],
    [71, 0, 16],
  ])('AckMux of %i says in %i, out %i', async (handler, input, output) => {
    const peer = await stage.peer({ ext: ['capacity'] });
    const ack = await RawStream.open(peer, handler, '0,0', { input: true }).next({ op: op.AckMux });
    expect([ack.seq, ack.flags, ack.handler]).toEqual([0, CRC, 0]);
    expect(body(ack.payload)).toEqual({ in: BigInt(input), out: BigInt(output) });
  });

  test('nothing without it', async () => {
    const peer = await stage.peer({ ext: ['cancel'] });
    expect((await RawStream.open(peer, 71, '0').next({ op: op.AckMux })).payload).toHaveLength(0);
  });
});

describe('capacity, the node as the caller', () => {
  test('input waits for the AckMux, then for credits', async () => {
    const peer = await stage.linked({ ext: ['capacity'] });
    const done = stage.node.stream(host, 80, { inputs: ['a', 'b', 'c', 'd'] });
    const call = await RawHandler.called(peer, { op: op.ConnectMux, handler: 80, flags: CRC });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
    call.ack(capacities(2, 1));
    for (const text of ['a', 'b']) expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe(text);
    await peer.settle();
    expect(peer.inbox).toEqual([]);
    call.credit();
    expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe('c');
    await peer.settle();
    expect(peer.inbox).toEqual([]);
    call.credit();
    expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe('d');
    expect(await call.next({ op: op.MuxClientMsg })).toMatchObject({ flags: CRC | EOF, payload: Buffer.alloc(0) });
    call.end();
    expect(await done).toEqual({ outputs: [], error: null });
  });

  test('in 0 with input left open: the end of input, and the call goes on', async () => {
    const peer = await stage.linked({ ext: ['capacity'] });
    const done = stage.node.stream(host, 80, { inputs: ['a'] });
    const call = await RawHandler.called(peer, { op: op.ConnectMux });
    call.ack(capacities(0, 1));
    expect((await call.next({ op: op.MuxClientMsg })).flags).toBe(CRC | EOF);
    call.item('still here');
    await call.next({ op: op.UnblockSrvMux });
    call.end();
    expect((await done).outputs).toEqual(['still here']);
  });

  test('output beyond what AckMux said ends the call with "response blocked"', async () => {
    const peer = await stage.linked({ ext: ['capacity'] });
    const done = stage.node.stream(host, 80);
    const { muxId } = await RawHandler.called(peer, { op: op.ConnectMux });
    const items = [1, 2, 3, 4, 5].map((seq) => encode({ op: op.MuxServerMsg, muxId, seq, payload: `${seq}` }));
    peer.sendFrame(merged([encode({ op: op.AckMux, muxId, payload: capacities(0, 1) }), ...items]));
    await peer.next({ op: op.DisconnectServerMux, muxId });
    const { outputs, error } = await done;
    expect(error).toEqual({ code: 'RESOURCE_EXHAUSTED', message: 'response blocked', remote: false });
    expect(outputs).toEqual(['1', '2', '3', '4', '5'].slice(0, outputs.length));
  });

  test('unknown keys in AckMux are skipped', async () => {
    const peer = await stage.linked({ ext: ['capacity'] });
    const done = stage.node.stream(host, 80);
    const call = await RawHandler.called(peer, { op: op.ConnectMux });
    call.ack(
      map([
        ['later', uint(1)],
        ['out', uint(3)],
        ['in', uint(0)],
      ]),
    );
    call.end();
    expect(await done).toEqual({ outputs: [], error: null });
  });

  test.each([
    ['garbage', Buffer.from([0xc1])],
    ['without out', map([['in', uint(1)]])],
    ['with out 0', capacities(1, 0)],
    ['with bytes left over', Buffer.concat([capacities(1, 1), Buffer.from([0])])],
  ])('an AckMux whose payload is %s ends the connection', async (_, payload) => {
    const peer = await stage.linked({ ext: ['capacity'] });
    const done = stage.node.stream(host, 80);
    (await RawHandler.called(peer, { op: op.ConnectMux })).ack(payload);
    expect((await peer.closed).code).toBe(1002);
    expect((await done).error).toMatchObject({ code: 'UNAVAILABLE', remote: false });
  });

  test('without it input goes by what is known of the handler', async () => {
    const peer = await stage.linked();
    const known = stage.node.stream(host, 64, { inputs: ['a', 'b', 'c', 'd', 'e'] });
    const call = await RawHandler.called(peer, { op: op.ConnectMux, flags: CRC });
    call.ack();
    for (const text of ['a', 'b', 'c', 'd'])
      expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe(text);
    await peer.settle();
    expect(peer.inbox).toEqual([]);
    call.credit();
    expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe('e');
    expect(await call.next({ op: op.MuxClientMsg })).toMatchObject({ flags: CRC | EOF, payload: Buffer.alloc(0) });
    call.end();
    expect(await known).toEqual({ outputs: [], error: null });
    const unknown = stage.node.stream(host, 80, { inputs: ['a'] });
    const other = await RawHandler.called(peer, { op: op.ConnectMux, flags: CRC });
    other.ack();
    expect((await other.next({ op: op.MuxClientMsg })).flags).toBe(CRC | EOF);
    other.end();
    expect(await unknown).toEqual({ outputs: [], error: null });
  });

  test('without it output beyond what is known of the handler ends the call', async () => {
    const peer = await stage.linked();
    const done = stage.node.stream(host, 63);
    const { muxId } = await RawHandler.called(peer, { op: op.ConnectMux });
    const items = [1, 2, 3, 4, 5].map((seq) => encode({ op: op.MuxServerMsg, muxId, seq, payload: `${seq}` }));
    peer.sendFrame(merged([encode({ op: op.AckMux, muxId }), ...items]));
    await peer.next({ op: op.DisconnectServerMux, muxId });
    expect((await done).error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: 'response blocked' });
  });
});

describe('cancel', () => {
  test('aborts a request of the peer; its muxId is free at once and no answer comes', async () => {
    const peer = await stage.peer({ ext: ['cancel'] });
    const muxId = peer.ask(62, '150');
    peer.send({ op: op.DisconnectServerMux, muxId });
    peer.ask(60, 'again', { muxId });
    expect((await peer.next({ muxId })).payload.toString()).toBe('again');
    await peer.call(62, '300');
    expect(peer.inbox).toEqual([]);
  });

  test('of a request is nothing to a node without it', async () => {
    const peer = await stage.peer();
    const muxId = peer.ask(62, '50');
    peer.send({ op: op.DisconnectServerMux, muxId });
    expect((await peer.next({ muxId })).payload.toString()).toBe('done');
  });

  test('is sent for a request of the node that is cancelled, or runs out of time', async () => {
    const peer = await stage.linked({ ext: ['cancel'] });
    for (const [options, code] of [
      [{ cancelAfterMs: 50 }, 'CANCELLED'],
      [{ deadlineMs: 50 }, 'DEADLINE_EXCEEDED'],
    ] as const) {
      const failed = stage.node.call(host, 80, options);
      const call = await RawHandler.called(peer, { op: op.Request });
      expect((await call.next()).op).toBe(op.DisconnectServerMux);
      expect(await failed).toMatchObject({ code, remote: false });
      call.respond('late');
      await peer.settle();
      expect(peer.inbox).toEqual([]);
    }
  });
});

describe('Max', () => {
  const MAX = 65_536;
  const big = Buffer.alloc(MAX, 'x');

  test('an answer that would pass it becomes an error Response', async () => {
    const peer = await stage.peer({ ext: [], max: MAX });
    expect(await peer.call(60, big)).toMatchObject({ op: op.Response, flags: CRC | EOF | ERR });
    expect((await peer.call(60, big.subarray(0, MAX - 200))).payload).toHaveLength(MAX - 200);
  });

  test('metadata counts only where there is some', async () => {
    const peer = await stage.peer({ ext: ['meta'], max: MAX });
    expect((await peer.call(60, big.subarray(0, MAX - 66))).payload).toHaveLength(MAX - 66);
  });

  test('an item that would pass it ends its stream with an error', async () => {
    const peer = await stage.peer({ ext: [], max: MAX });
    const stream = await RawStream.opened(peer, 63, `3,${MAX}`);
    expect(await stream.next({ op: op.MuxServerMsg })).toMatchObject({ flags: CRC | EOF | ERR });
    await peer.settle();
  });

  test('a request of the node fails locally; nothing is sent', async () => {
    const peer = await stage.linked({ ext: [], max: MAX });
    expect(await stage.node.call(host, 80, { payload: big })).toMatchObject({ code: 'OUT_OF_RANGE', remote: false });
    expect((await stage.node.stream(host, 80, { payload: big })).error).toMatchObject({
      code: 'OUT_OF_RANGE',
      remote: false,
    });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('input of the node that would pass it ends the call', async () => {
    const peer = await stage.linked({ ext: ['capacity'], max: MAX });
    const done = stage.node.stream(host, 80, { inputs: ['small', big] });
    const call = await RawHandler.called(peer, { op: op.ConnectMux });
    call.ack(capacities(4, 1));
    expect((await call.next({ op: op.MuxClientMsg })).payload.toString()).toBe('small');
    await call.next({ op: op.DisconnectServerMux });
    expect((await done).error).toMatchObject({ code: 'OUT_OF_RANGE', remote: false });
  });

  test('no frame passes it, however much waits together', async () => {
    const peer = await stage.peer({ ext: [], max: MAX });
    const ids = Array.from({ length: 200 }, (_, i) => peer.ask(60, big.subarray(0, 1_000 + 100 * i)));
    for (const muxId of ids) expect((await peer.next({ muxId })).op).toBe(op.Response);
    expect(Math.max(...peer.frames.map((frame) => frame.length))).toBeLessThanOrEqual(MAX);
  });
});
