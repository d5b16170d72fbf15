import { describe, expect, it } from '@jest/globals';
import { acceptHandshake } from '../../lib/connection/index.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { encodeConnectRequest, Op, type Extension, type Message } from '../../lib/wire/index.js';
import { until } from '../until.js';
import { A, B, connect, errorOf, ports, request } from './grid-end.js';
import { messagesOf, RawPeer } from './raw-peer.js';

const WITH: readonly Extension[] = ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain'];

async function pair(extensions: readonly Extension[]) {
  const sockets = socketPair();
  const frames: Uint8Array[] = [];
  const [leaving, staying] = await connect(sockets, ports({ extensions }), ports({ extensions: WITH }));
  sockets[1].tap = (frame) => frames.push(new Uint8Array(frame));
  const reasons: string[] = [];
  staying.onPeerDraining = (reason) => reasons.push(reason);
  const messages = (): Message[] => frames.flatMap(messagesOf);
  return {
    leaving,
    staying,
    reasons,
    sockets,
    received: () => messages().map(({ op }) => op),
    said: () => messages().filter(({ op }) => op === Op.Disconnect),
  };
}

describe('a connection that drains (spec §11)', () => {
  it('tells the peer once, with the reason; calls that are open go on', async () => {
    const { leaving, staying, reasons, said } = await pair(WITH);
    leaving.drain('deploy: ü');
    leaving.drain('again');
    // whether a draining host takes a call is for its manager to say: `accepting`
    expect(await request(staying, 60, Buffer.from('x'))).toEqual(new Uint8Array(Buffer.from('x')));
    expect(reasons).toEqual(['deploy: ü']);
    expect(said()).toHaveLength(1);
    expect([staying.peerDrains, leaving.peerDrains]).toEqual([true, false]);
    expect([staying.peerDrainReason, leaving.peerDrainReason]).toEqual(['deploy: ü', undefined]);
    leaving.close(1001, 'done');
  });

  it('is heard when the calls that waited to be written before it have arrived', async () => {
    const { leaving, staying, sockets, reasons } = await pair(WITH);
    const arrived: Op[] = [];
    sockets[0].tap = (frame) => arrived.push(...messagesOf(frame).map(({ op }) => op));
    sockets[0].stall();
    const calls = Array.from({ length: 10 }, () => errorOf(request(staying, 62, Buffer.alloc(65_000))));
    leaving.drain('deploy');
    await until(() => reasons.length > 0);
    sockets[0].flow();
    await until(() => !leaving.drainPending);
    expect(arrived).toEqual([...calls.map(() => Op.Request), Op.Pong]);
    leaving.close(1001, 'done');
    await Promise.all(calls);
  });

  it('cuts a reason to 1 KiB', async () => {
    const { leaving, reasons, said } = await pair(WITH);
    leaving.drain('x'.repeat(5000));
    await until(() => reasons.length > 0);
    expect(reasons).toEqual(['x'.repeat(1024)]);
    expect(said()[0]!.payload).toHaveLength(1024);
    leaving.close(1001, 'done');
  });

  it.each<[string, readonly Extension[], string[]]>([
    ['is heard once, and 1 KiB of its reason', WITH, ['x'.repeat(1024)]],
    ['is ignored where it was not negotiated', ['capacity'], []],
  ])('said by a peer as often and as long as it likes %s', async (_, ext, heard) => {
    const [dialer, acceptor] = socketPair();
    const admit = async () => ({ accepted: true }) as const;
    const accepting = acceptHandshake(acceptor, { local: B, admit }, ports({ extensions: WITH }));
    const peer = new RawPeer(dialer);
    const time = { seconds: 0, nanos: 0 };
    const payload = encodeConnectRequest({ id: new Uint8Array(16), host: A, time, token: '', ext });
    peer.send(Op.Connect, { payload });
    const connection = await accepting;
    const reasons: string[] = [];
    connection.onPeerDraining = (reason) => reasons.push(reason);
    for (const letter of ['x', 'y', 'z']) peer.send(Op.Disconnect, { payload: Buffer.alloc(5_000, letter) });
    peer.send(Op.Ping, {});
    await until(() => peer.messages.some(({ op }) => op === Op.Pong), 'all was read, and the connection stands');
    expect([reasons, connection.peerDrainReason, connection.closed]).toEqual([heard, heard[0], undefined]);
    connection.close(1000, '');
    await until(() => peer.closed !== undefined);
  });

  it('says nothing to a peer without the extension', async () => {
    const { leaving, staying, said } = await pair(['capacity', 'cancel']);
    leaving.drain('deploy');
    await request(staying, 60);
    expect(said()).toEqual([]);
    expect(staying.peerDrains).toBe(false);
    leaving.close(1001, 'done');
  });
});

describe('the news of a drain', () => {
  it('is pending until a ping behind it is answered; one that travels already does not count', async () => {
    const { leaving, staying, received } = await pair(WITH);
    const asked = leaving.ping();
    leaving.drain('deploy');
    expect(leaving.drainPending).toBe(true);
    await asked;
    await until(() => !leaving.drainPending);
    expect(staying.peerDrains).toBe(true);
    expect(received()).toEqual([Op.Ping, Op.Disconnect, Op.Ping]);
    leaving.close(1001, 'done');
  });
});
