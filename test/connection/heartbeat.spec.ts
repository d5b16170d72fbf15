import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Heartbeat } from '../../lib/connection/heartbeat.js';
import { acceptHandshake, type Connection, type FrameSocket } from '../../lib/connection/index.js';
import { GridError } from '../../lib/errors/index.js';
import { silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair, type MemorySocket } from '../../lib/testing/socket-pair.js';
import {
  decodePong,
  encodeConnectRequest,
  encodePing,
  encodePong,
  Flag,
  Op,
  type Message,
  type WireTime,
} from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { A, B, connect, errorOf, ports } from './grid-end.js';
import { RawPeer } from './raw-peer.js';

const TIME = { seconds: 1_700_000_000, nanos: 123_456_789 };

describe('the heartbeat', () => {
  let clock: ManualClock;
  let peer: RawPeer;
  let socket: FrameSocket;
  let connection: Connection;
  let roundTrips: number[];
  let ends: [string, number][];

  const pings = (): Message[] => peer.messages.filter(({ op }) => op === Op.Ping);
  const settle = async (): Promise<void> => {
    for (let hop = 0; hop < 4; hop++) await turn();
  };
  /** In steps of at most a second: what is written in one arrives before the next, as in real time. */
  const advance = async (milliseconds: number): Promise<void> => {
    for (let left = milliseconds; left > 0; left -= 1_000) {
      clock.advance(Math.min(left, 1_000));
      await settle();
    }
  };
  const answer = async (payload?: Uint8Array): Promise<void> => {
    const ping = pings().at(-1)!;
    peer.send(Op.Pong, {
      seq: ping.seq,
      deadlineMs: ping.deadlineMs,
      flags: Flag.Crc,
      payload: payload ?? pongFor(ping),
    });
    await settle();
  };
  const pongFor = (ping: Message): Uint8Array => encodePong({ notFound: false, time: decodePong(ping.payload).time });

  beforeEach(async () => {
    clock = new ManualClock();
    roundTrips = [];
    ends = [];
    const observer = { ...silentObserver, pinged: (milliseconds: number) => roundTrips.push(milliseconds) };
    const [dialer, acceptor] = socketPair();
    socket = acceptor;
    const accepting = acceptHandshake(
      acceptor,
      { local: B, admit: async () => ({ accepted: true }) },
      ports({ clock, observer, limits: { pingsPerSecond: 100 } }),
    );
    peer = new RawPeer(dialer);
    peer.send(Op.Connect, {
      payload: encodeConnectRequest({ id: new Uint8Array(16), host: A, time: TIME, token: '' }),
    });
    connection = await accepting;
    connection.onClosed = (error, code) => ends.push([error.message, code]);
    await settle();
    peer.frames.length = 0;
  });
  afterEach(async () => {
    connection.close(1000, '');
    await until(() => peer.closed !== undefined);
    expect(clock.timers).toBe(0);
  });

  it('pings every interval: muxId 0, seq 0, deadlineMs the interval, no flags', async () => {
    await advance(9_999);
    expect(pings()).toEqual([]);
    await advance(1);
    expect(pings()).toMatchObject([{ muxId: 0, seq: 0, deadlineMs: 10_000, handler: 0, flags: 0 }]);
    await answer();
    await advance(10_000);
    expect(pings().length).toBe(2);
  });

  it('measures the round trip on the monotonic clock', async () => {
    await advance(10_000);
    clock.advance(7);
    await answer();
    expect([connection.lastPingMs, roundTrips]).toEqual([7, [7]]);
  });

  it('B11 one pong, then silence: offline within two intervals and a tick', async () => {
    await advance(10_000);
    await answer();
    await advance(20_000);
    expect(connection.closed).toBeUndefined();
    await advance(2_500);
    expect(connection.closed).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    expect(ends).toEqual([['no pong for two intervals of 10000 ms', 1006]]);
  });

  it('B11 a peer that never answered is offline as soon', async () => {
    await advance(20_000);
    expect(connection.closed).toBeUndefined();
    await advance(2_500);
    expect(ends.length).toBe(1);
  });

  it('B11 never offline while much comes or goes, pong or not; then within two intervals and a tick', async () => {
    let read = 0;
    socket.traffic = () => ({ read, taken: 0, waiting: 0 });
    for (let second = 0; second < 100; second++) {
      read += 10_000;
      await advance(1_000);
    }
    expect(ends).toEqual([]);
    await advance(25_000);
    expect(ends.length).toBe(1);
  });

  it('B11 never offline while the system takes a large frame in parts, with long times in between', async () => {
    let taken = 0;
    socket.traffic = () => ({ read: 0, taken, waiting: 1 });
    for (let part = 0; part < 10; part++) {
      taken += 1_500_000;
      await advance(15_000);
    }
    expect(ends).toEqual([]);
    await advance(10_000);
    expect(ends.length).toBe(1);
  });

  it('B11 never offline while pongs come', async () => {
    for (let round = 0; round < 50; round++) {
      await advance(10_000);
      await answer();
    }
    expect(connection.closed).toBeUndefined();
    expect(pings().length).toBe(50);
  });

  it('other frames are no pong', async () => {
    for (let second = 0; second < 22; second++) {
      peer.send(Op.Ping, { deadlineMs: 10_000 });
      await advance(1_000);
    }
    await advance(500);
    expect(ends.length).toBe(1);
  });

  it('B26 H9 pongs of older and newer peers keep it up, and none gives a nonsense round trip', async () => {
    const odd: (Uint8Array | undefined)[] = [
      undefined,
      encodePong({ notFound: false }),
      Buffer.from('80', 'hex'),
      // {"nf": false, "e": nil, "zz": [1, {}]}
      Buffer.from('83a26e66c2a165c0a27a7a920180', 'hex'),
      // a time that is none of ours
      encodePong({ notFound: false, time: { seconds: 0, nanos: 0 } }),
      // {"t": 5}
      Buffer.from('81a17405', 'hex'),
    ];
    for (const [round, payload] of odd.entries()) {
      await advance(round === 0 ? 10_000 : 9_997);
      clock.advance(3);
      peer.send(Op.Pong, { deadlineMs: 10_000, payload });
      await settle();
    }
    expect(connection.closed).toBeUndefined();
    expect(roundTrips).toEqual(odd.map(() => 3));
  });

  it('pongs that nobody asked for are a sign of life and nothing else', async () => {
    for (let pong = 0; pong < 1_000; pong++)
      peer.send(Op.Pong, { payload: encodePong({ notFound: true, time: TIME }) });
    await settle();
    expect([connection.closed, connection.lastPingMs]).toEqual([undefined, undefined]);
  });

  it.each([
    ['with time', encodePing({ time: TIME }), TIME],
    ['empty', undefined, undefined],
    ['without time', Buffer.from('80', 'hex'), undefined],
    ['odd', Buffer.from('c1c1', 'hex'), undefined],
  ])('answers a ping %s with its muxId, seq, deadlineMs and time', async (_, payload, time) => {
    peer.send(Op.Ping, { seq: 77, deadlineMs: 12_345, payload });
    await settle();
    expect(peer.messages).toMatchObject([{ op: Op.Pong, muxId: 0, seq: 77, deadlineMs: 12_345, flags: Flag.Crc }]);
    expect(decodePong(peer.messages[0]!.payload)).toEqual({ notFound: false, error: undefined, time });
  });

  it('a ping flood is closed with 1008', async () => {
    for (let ping = 0; ping < 100; ping++) peer.send(Op.Ping);
    await settle();
    await advance(1_000);
    for (let ping = 0; ping < 100; ping++) peer.send(Op.Ping);
    await settle();
    expect(connection.closed).toBeUndefined();
    peer.send(Op.Ping);
    await until(() => peer.closed !== undefined);
    expect(peer.closed).toEqual([1008, 'more than pingsPerSecond (100) pings']);
    expect(connection.closed).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'limit' });
  });

  it('ping() tells the round trip; asked for again and again it sends no flood', async () => {
    const first = connection.ping();
    const joined = connection.ping();
    await settle();
    expect(pings().length).toBe(1);
    clock.advance(4);
    await answer();
    expect(await Promise.all([first, joined])).toEqual([4, 4]);
    const second = connection.ping();
    await settle();
    expect(pings().length).toBe(1);
    await advance(16);
    expect(pings().length).toBe(2);
    await answer();
    expect(await second).toBe(0);
  });

  it('ping() rejects when the connection ends', async () => {
    const ping = errorOf(connection.ping());
    connection.close(1001, 'shutdown');
    expect(await ping).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
  });

  it('op 16 is ignored, with another muxId it ends the connection', async () => {
    peer.send(Op.Disconnect, { payload: Buffer.from('bye') });
    await settle();
    expect(connection.closed).toBeUndefined();
    peer.send(Op.Disconnect, { muxId: 3 });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1002);
  });
});

describe('a process that slept', () => {
  /** Late timers fire once each, however long the sleep was: like those of Node after a SIGSTOP. */
  class SleepyClock extends ManualClock {
    private slept = 0;

    override now(): number {
      return super.now() + this.slept;
    }

    sleep(milliseconds: number): void {
      this.slept += milliseconds;
    }
  }

  it('does not give a peer up for the time in which it did not listen itself', async () => {
    const clock = new SleepyClock();
    const pair: [MemorySocket, MemorySocket] = socketPair();
    const [dialer, acceptor] = await connect(pair, ports({ clock }), ports({ clock }));
    clock.advance(5_000);
    clock.sleep(600_000);
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      for (let hop = 0; hop < 4; hop++) await turn();
    }
    expect([dialer.closed, acceptor.closed]).toEqual([undefined, undefined]);
    dialer.close(1000, '');
    await until(() => acceptor.closed !== undefined);
    expect(clock.timers).toBe(0);
  });
});

it('who waits for the answer to one ping hears of it, however many follow before: a slow link is alive', () => {
  const clock = new ManualClock();
  const times: WireTime[] = [];
  const heartbeat = new Heartbeat({
    clock,
    pingMs: 10_000,
    sendPing: (time) => times.push(time) > 0,
    onArrived: () => {},
    onRoundTrip: () => {},
    moves: () => true,
    onSilence: () => {},
  });
  const heard: string[] = [];
  clock.advance(10_000);
  heartbeat.probe(() => heard.push('probe'));
  clock.advance(60_000);
  heartbeat.handlePong({ notFound: false, time: times[1]! });
  expect([times.length, heard, heartbeat.lastPingMs]).toEqual([8, ['probe'], 60_000]);
  heartbeat.stop(new GridError('UNAVAILABLE', 'over'));
  expect(clock.timers).toBe(0);
});
