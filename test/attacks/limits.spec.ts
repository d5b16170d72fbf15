// Each row of the table `limits` in docs/OPTIONS.md: at the limit, one past it, far past it. By bytes on a socket.
import { afterEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import { LIMITS, type GridLimits } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { ManualClock } from '../../lib/testing/index.js';
import { systemClock } from '../../lib/time/index.js';
import { until, within } from '../conformance/hang-budget.js';
import {
  connectRequest,
  encode,
  EOF,
  merged,
  METADATA,
  op,
  type MessageParts,
  type RawMessage,
} from '../conformance/raw-codec.js';
import { map, str } from '../conformance/raw-msgpack.js';
import { Bastion } from './bastion.js';
import { frame, frameHead } from './raw-websocket.js';
import { closeOf, type Attacker } from './siege.js';

let bastion: Bastion;
afterEach(() => bastion.fall());

const ask = { op: op.Request, deadlineMs: 60_000, flags: EOF };
const inOneFrame = (parts: MessageParts[]): Buffer => frame(merged(parts.map((each) => encode({ flags: 0, ...each }))));
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Bytes of a frame that holds one echo request, beside its payload. */
function echoFrame(bytes: number): Buffer {
  const overhead = encode({ ...ask, muxId: 1, handler: 60, payload: Buffer.alloc(1_000) }).length - 1_000;
  return encode({ ...ask, muxId: 1, handler: 60, payload: Buffer.alloc(bytes - overhead) });
}

interface Cut {
  limit: keyof GridLimits;
  is: number;
  others?: Partial<GridLimits>;
  code: number;
  /** What the log says, and the peer reads. */
  reason: RegExp;
  /** Where the peer reads something else. */
  told?: RegExp;
  /** Does so much of it in one go. */
  attack(attacker: Attacker, amount: number): Promise<unknown>;
  /** Amounts far past it. */
  far: number[];
}

/** The limits past which the connection ends. */
const CUTS: Cut[] = [
  {
    limit: 'messageBytes',
    is: 1_000,
    code: 1009,
    reason: /messageBytes/,
    attack: (attacker, bytes) => attacker.send({ ...ask, muxId: 1, handler: 60, payload: Buffer.alloc(bytes) }),
    far: [60_000],
  },
  {
    limit: 'frameBytes',
    is: 70_000,
    others: { messageBytes: 50_000 },
    code: 1009,
    reason: /limits.frameBytes/,
    // `ws` says goodbye before it tells of the frame
    told: /^$/,
    attack: async ({ ws }, bytes) => {
      if (bytes > 1_000_000) return ws.write(frameHead(BigInt(bytes)));
      const half = echoFrame(35_000);
      const spare = bytes - merged([half, half]).length;
      return ws.write(frame(merged([half, echoFrame(35_000 + spare)])));
    },
    far: [2 ** 32, Number.MAX_SAFE_INTEGER],
  },
  {
    limit: 'frameMessages',
    is: 10,
    code: 1002,
    reason: /frameMessages|Merged/,
    attack: ({ ws }, count) => {
      if (count > 1_000) return ws.write(frame(encode({ op: op.Merged, seq: count, flags: 0 })));
      return ws.write(inOneFrame(times(count, (i) => ({ op: op.UnblockSrvMux, muxId: i + 1 }))));
    },
    far: [1_000, 4_294_967_295],
  },
  {
    limit: 'pingsPerSecond',
    is: 10,
    code: 1008,
    reason: /pingsPerSecond \(10\)/,
    attack: ({ ws }, count) => ws.write(inOneFrame(times(count, () => ({ op: op.Ping })))),
    far: [10_000],
  },
  {
    limit: 'cancelsPerSecond',
    is: 10,
    code: 1008,
    reason: /cancelsPerSecond \(10\)/,
    attack: ({ ws }, count) => {
      const pairs = times(count, (i) => [
        { ...ask, muxId: i + 1, handler: 61 },
        { op: op.DisconnectServerMux, muxId: i + 1 },
      ]);
      return ws.write(inOneFrame(pairs.flat()));
    },
    far: [5_000],
  },
];

describe.each(CUTS)('$limit', ({ limit, is, others, code, reason, told = reason, attack, far }) => {
  it('at the limit the connection goes on, and nothing is logged', async () => {
    bastion = await Bastion.raise({ limits: { ...others, [limit]: is } });
    const attacker = await bastion.attacker();
    await attack(attacker, is);
    await bastion.settle(attacker);
    expect(bastion.lines).toEqual([]);
  });

  it.each([is + 1, ...far])(`${is} allowed: %s ends it with ${code}, a reason and one line`, async (amount) => {
    bastion = await Bastion.raise({ limits: { ...others, [limit]: is } });
    const attacker = await bastion.attacker();
    await attack(attacker, amount);
    expect(await closeOf(attacker.ws)).toEqual([code, expect.stringMatching(told)]);
    await until(async () => bastion.peer.state !== 'connected', 'still connected');
    expect(bastion.lines).toEqual([expect.stringMatching(reason)]);
    expect(bastion.grid.stats().peers[0]).toMatchObject({ state: 'disconnected', incoming: 0, running: 0 });
    // and it may come again
    await bastion.settle(await bastion.attacker());
  });
});

interface Refusal {
  limit: keyof GridLimits;
  /** What fills it, where that is not plain. */
  by?: string;
  is: number;
  /** The call of which one more is refused. */
  call: MessageParts;
  /** What one call takes of it. */
  each: number;
  far: number;
}

/** The limits past which a call is refused, and nothing else. */
const REFUSALS: Refusal[] = [
  { limit: 'openStreams', is: 5, each: 1, call: { op: op.ConnectMux, handler: 63, flags: EOF }, far: 2_000 },
  { limit: 'runningRequests', is: 5, each: 1, call: { ...ask, handler: 61 }, far: 2_000 },
  {
    limit: 'heldBytes',
    by: ', by payloads',
    is: 5_000,
    each: 1_000,
    call: { ...ask, handler: 61, payload: Buffer.alloc(1_000) },
    far: 2_000,
  },
  {
    limit: 'heldBytes',
    by: ', by metadata',
    is: 5 * (7 + 2 * 64),
    each: 7 + 2 * 64,
    call: { ...ask, flags: EOF | METADATA, handler: 61, metadata: map([['a', str('')], ['b', str('')]]) },
    far: 2_000,
  },
];

describe.each(REFUSALS.map((refusal) => ({ by: '', ...refusal })))('$limit$by', ({ limit, is, each, call, far }) => {
  it('so many calls run; one more and many more are refused before they do, and a free place is given', async () => {
    bastion = await Bastion.raise({ limits: { [limit]: is } });
    const attacker = await bastion.attacker();
    const fit = is / each;
    let muxId = 0;
    const open = (count: number): Promise<boolean> => attacker.flood(count, () => ({ ...call, muxId: ++muxId }));
    const running = (): number => bastion.grid.stats().peers[0]!.running;
    await open(fit);
    await until(async () => running() === fit, 'not all run');
    expect(attacker.count(op.MuxConnectError)).toBe(0);
    await open(1);
    await until(async () => attacker.count(op.MuxConnectError) === 1, 'not refused');
    expect(refusalOf(attacker)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining(limit) });
    await open(far);
    await until(async () => attacker.count(op.MuxConnectError) === 1 + far, 'not all refused');
    expect(running()).toBe(fit);
    const [end] = bastion.release;
    end!();
    await until(async () => running() === fit - 1, 'it has not ended');
    // a stream is over once its caller has heard of its end
    if (call.op === op.ConnectMux) await until(async () => attacker.count(op.DisconnectClientMux) === 1, 'no end');
    await open(1);
    await until(async () => running() === fit, 'the free place is not given');
    expect(attacker.count(op.MuxConnectError)).toBe(1 + far);
    await bastion.settle(attacker);
    expect(bastion.lines).toEqual([]);
    attacker.ws.destroy();
    await until(async () => running() === 0, 'handlers are left');
  });
});

describe('handlers that heed nothing', () => {
  const held: (() => void)[] = [];
  const forget = async (): Promise<void> => {
    await new Promise<void>((resolve) => held.push(resolve));
  };
  const running = (): number => bastion.grid.stats().peers[0]!.running;
  afterEach(() => held.splice(0).forEach((release) => release()));

  it('count until they end, over all connections of their caller', async () => {
    bastion = await Bastion.raise({ limits: { runningRequests: 5, openStreams: 3 } });
    bastion.grid.handle(70, {}, forget);
    const streams = times(3, () => ({ op: op.ConnectMux, handler: 70, flags: EOF }));
    const calls = [...times(5, () => ({ ...ask, handler: 70 })), ...streams];
    const first = await bastion.attacker();
    await first.flood(calls.length, (i) => ({ ...calls[i]!, muxId: i + 1 }));
    await until(async () => running() === 8, 'not all run');
    first.ws.destroy();
    await until(async () => bastion.grid.stats().peers[0]!.state !== 'connected', 'it is not lost');
    expect(running()).toBe(8);
    const second = await bastion.attacker();
    await second.flood(calls.length, (i) => ({ ...calls[i]!, muxId: i + 1 }));
    await until(async () => second.count(op.MuxConnectError) === 8, 'not all refused');
    expect(refusalOf(second)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(running()).toBe(8);
    held.splice(0).forEach((release) => release());
    await until(async () => running() === 0, 'they have not ended');
    await second.send({ ...ask, handler: 70, muxId: 100 });
    await until(async () => running() === 1, 'no place is given');
    expect(second.count(op.MuxConnectError)).toBe(8);
  });

  it('of events count too, though they were answered', async () => {
    bastion = await Bastion.raise({ limits: { runningRequests: 5, heldBytes: 2_000 } });
    for (let i = 0; i < 2; i++) bastion.grid.handle(71, { kind: 'event' }, forget);
    const attacker = await bastion.attacker();
    await attacker.flood(7, (i) => ({ ...ask, handler: 71, muxId: i + 1 }));
    await until(async () => attacker.count(op.MuxConnectError) === 2, 'not refused');
    expect([attacker.count(op.Response), held.length, running()]).toEqual([5, 10, 5]);
    // an event ends with the last of its handlers
    held.shift()!();
    await bastion.settle(attacker);
    expect(running()).toBe(5);
    held.splice(0).forEach((release) => release());
    await until(async () => running() === 0, 'they have not ended');
    const large = { ...ask, handler: 71, payload: Buffer.from(`c50400${'00'.repeat(1_024)}`, 'hex') };
    await attacker.flood(2, (i) => ({ ...large, muxId: 10 + i }));
    await until(async () => attacker.count(op.MuxConnectError) === 3, 'heldBytes does not count it');
    expect(attacker.count(op.Response)).toBe(6);
  });
});

/** The error of the first refused call, as the extension `error` carries it. */
function refusalOf(attacker: Attacker): unknown {
  const text = attacker.firstOf(op.MuxConnectError)!.metadata!.toString();
  return JSON.parse(text.slice(text.indexOf('{')));
}

function textOf(message: RawMessage | undefined): string {
  return message?.payload.toString() ?? '';
}

describe('messageBytes, sending', () => {
  it('one past it: OUT_OF_RANGE for that call only, ours or theirs', async () => {
    bastion = await Bastion.raise({ limits: { messageBytes: 1_000 } });
    const attacker = await bastion.attacker();
    await attacker.send({ ...ask, muxId: 1, handler: 62, payload: '1000' });
    await until(async () => attacker.count(op.Response) === 1, 'no answer at the limit');
    expect(attacker.lastOf(op.Response)!.payload).toHaveLength(1_000);
    await attacker.send({ ...ask, muxId: 2, handler: 62, payload: '1001' });
    await until(async () => attacker.count(op.Response) === 2, 'no error');
    expect(attacker.lastOf(op.Response)!.metadata!.toString()).toContain('"OUT_OF_RANGE"');
    const error = await bastion.peer.request(60, Buffer.alloc(1_001)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'OUT_OF_RANGE', notSent: true } satisfies Partial<GridError>);
    await bastion.settle(attacker);
    expect(bastion.lines.filter((line) => line.includes('lost'))).toEqual([]);
  });
});

describe('queuedBytes', () => {
  const QUEUED = 4 * 1_024 * 1_024;
  const queued = (): number => bastion.grid.stats().peers[0]!.queuedBytes;

  /** A peer that does not read, with so many bytes of answers before it that no more fit. */
  async function congested(): Promise<{ attacker: Attacker; asked: number }> {
    bastion = await Bastion.raise({ limits: { queuedBytes: QUEUED }, intervals: { writeTimeoutMs: 60_000 } });
    const attacker = await bastion.attacker();
    attacker.ws.socket.pause();
    let asked = 0;
    while (queued() <= QUEUED) {
      await attacker.send({ ...ask, muxId: ++asked, handler: 62, payload: String(256 * 1_024) });
      await until(async () => bastion.grid.stats().peers[0]!.handlers[0]?.calls === asked, 'no answer');
    }
    return { attacker, asked };
  }

  it('past it requests fail unsent, write() waits and calls are refused; with room all goes on', async () => {
    const { attacker, asked } = await congested();
    expect(queued()).toBeLessThanOrEqual(QUEUED + 257 * 1_024);
    const error = await bastion.peer.request(60, Buffer.alloc(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', notSent: true } satisfies Partial<GridError>);
    expect((error as GridError).message).toContain('queuedBytes');
    await attacker.send({ ...ask, muxId: asked + 1, handler: 60, payload: 'x' });
    attacker.ws.socket.resume();
    await until(async () => attacker.count(op.Response) === asked, 'the answers do not come', 20_000);
    await until(async () => attacker.count(op.MuxConnectError) === 1, 'it was not refused');
    expect(refusalOf(attacker)).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('queuedBytes'),
    });
    await until(async () => queued() === 0, 'bytes are left');
    await bastion.settle(attacker);
    expect(bastion.lines).toEqual([]);
  });

  it('past it and three quarters answers fail alone; at twice as much the connection ends with 1013', async () => {
    bastion = await Bastion.raise({ limits: { queuedBytes: QUEUED }, intervals: { writeTimeoutMs: 60_000 } });
    const attacker = await bastion.attacker();
    attacker.ws.socket.pause();
    // all of them run before the first answer is there
    await attacker.flood(100, (i) => ({ ...ask, muxId: i + 1, handler: 69, payload: String(256 * 1_024) }));
    await until(async () => bastion.release.size === 100, 'not all run');
    for (const end of bastion.release) end();
    const refused = (): number => bastion.grid.stats().peers[0]!.handlers[0]?.errors.RESOURCE_EXHAUSTED ?? 0;
    await until(async () => refused() > 0, 'all are answered');
    expect(queued()).toBeLessThan(2 * QUEUED);
    expect(bastion.peer.state).toBe('connected');
    // what is small is taken as long as it can be, the refusals of further calls too
    await attacker.flood(100_000, (i) => ({ ...ask, muxId: 1_000 + i, handler: 60, payload: 'x' }));
    await until(async () => bastion.peer.state !== 'connected', 'it is not ended', 10_000);
    expect(bastion.lines).toEqual([expect.stringMatching(/lost the connection .*limits.queuedBytes is 4194304/)]);
    attacker.ws.socket.resume();
    // its goodbye waits behind what was not read, for a second
    expect([1006, 1013]).toContain((await closeOf(attacker.ws))[0]);
  });
});

describe('unreadBytes and unreadMessages', () => {
  const input = (muxId: number, seq: number, bytes: number): MessageParts => ({
    op: op.MuxClientMsg,
    muxId,
    seq,
    payload: Buffer.alloc(bytes),
  });

  it.each([1, 100_000])('unreadBytes: %s past it ends that stream, and no other', async (past) => {
    bastion = await Bastion.raise({ limits: { unreadBytes: 1_000 } });
    const attacker = await bastion.attacker();
    await attacker.send({ op: op.ConnectMux, muxId: 1, handler: 64 });
    await attacker.send({ op: op.ConnectMux, muxId: 2, handler: 64 });
    // each message that waits counts 256 bytes more than its payload
    for (const muxId of [1, 2]) await attacker.send(input(muxId, 1, 600));
    await attacker.send(input(2, 2, 400 - 256));
    await bastion.settle(attacker);
    expect(attacker.count(op.MuxServerMsg)).toBe(0);
    await attacker.send(input(1, 2, 400 - 256 + past));
    await until(async () => attacker.count(op.MuxServerMsg) === 1, 'it is not ended');
    const end = attacker.firstOf(op.MuxServerMsg)!;
    expect(end.muxId).toBe(1n);
    expect(end.metadata!.toString()).toMatch(/"RESOURCE_EXHAUSTED".*unreadBytes \(1000\)/);
    await bastion.settle(attacker);
    expect(bastion.grid.stats().peers[0]).toMatchObject({ incoming: 1 });
    expect(bastion.lines).toEqual([]);
  });

  it.each([1, 50])('unreadMessages: %s past it ends our call of a handler of unknown capacity', async (past) => {
    bastion = await Bastion.raise({ limits: { unreadMessages: 3 } });
    const attacker = await bastion.attacker(bastion.name, []);
    const items = bastion.peer.stream(65);
    const [reader, other] = [items[Symbol.asyncIterator](), bastion.peer.stream(65)[Symbol.asyncIterator]()];
    const [first, second] = [reader.next(), other.next()];
    await until(async () => attacker.count(op.ConnectMux) === 2, 'not opened');
    const { muxId } = attacker.firstOf(op.ConnectMux)!;
    const send = (id: bigint, seq: number): Promise<boolean> =>
      attacker.send({ op: op.MuxServerMsg, muxId: id, seq, payload: 'x' });
    for (const id of [muxId, muxId + 1n]) await attacker.send({ op: op.AckMux, muxId: id });
    await send(muxId + 1n, 1);
    await send(muxId, 1);
    await Promise.all([first, second]);
    for (let seq = 2; seq <= 4; seq++) await send(muxId, seq);
    await bastion.settle(attacker);
    expect(attacker.count(op.DisconnectServerMux)).toBe(0);
    for (let seq = 5; seq < 5 + past; seq++) await send(muxId, seq);
    await until(async () => attacker.count(op.DisconnectServerMux) >= 1, 'the handler is not told');
    // what came before is read first
    for (let n = 0; n < 3; n++) expect(await reader.next()).toMatchObject({ done: false });
    await expect(reader.next()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' } satisfies Partial<GridError>);
    await send(muxId + 1n, 2);
    expect(await other.next()).toMatchObject({ done: false });
    await other.return?.();
    expect(bastion.lines).toEqual([]);
  });
});

describe('handshakeMs', () => {
  it('a socket that has not sent its Connect is closed with 1008 then, and not before', async () => {
    const clock = new ManualClock(Date.now());
    bastion = await Bastion.raise({ limits: { handshakeMs: 5_000 }, clock });
    const [late, inTime] = [await bastion.open(), await bastion.open()];
    for (let n = 0; n < 49; n++) clock.advance(100);
    expect([late.ended, inTime.ended]).toEqual([false, false]);
    const answered = new Promise((resolve) => (inTime.onFrame = resolve));
    const payload = connectRequest({ id: Buffer.alloc(16, 1), host: bastion.name, time: clock.date(), token: '' });
    await inTime.write(frame(encode({ op: op.Connect, flags: 0, payload })));
    await within(answered, 'no answer to Connect');
    for (let n = 0; n < 10; n++) clock.advance(100);
    expect(await closeOf(late)).toEqual([1008, 'no handshake within 5000 ms (limits.handshakeMs)']);
    expect(bastion.peer.state).toBe('connected');
    expect(bastion.lines).toEqual([]);
  });
});

describe('pendingHandshakes', () => {
  it('one more and many more are answered 503, with one line; a place that is free is given', async () => {
    bastion = await Bastion.raise({ limits: { pendingHandshakes: 3 } });
    const waiting = [await bastion.open(), await bastion.open(), await bastion.open()];
    expect(bastion.lines).toEqual([]);
    for (let n = 0; n < 50; n++) await expect(bastion.open()).rejects.toThrow('503');
    expect(bastion.lines).toEqual([expect.stringContaining('pendingHandshakes (3)')]);
    waiting[0]!.destroy();
    await waiting[0]!.closed;
    const opened = async (): Promise<boolean> => {
      try {
        await bastion.open();
        return true;
      } catch (error) {
        // the host has not seen yet that the socket is gone
        expect((error as Error).message).toContain(' 503 ');
        return false;
      }
    };
    await until(opened, 'no place');
    expect(bastion.lines).toHaveLength(1);
  });
});

describe('refusedPerMinute', () => {
  const secret = 'a secret of the test, long enough for it';

  it('so many are refused by their token, then 429 for a minute and one line; another host gets in', async () => {
    const clock = new ManualClock(Date.now());
    bastion = await Bastion.raise({ limits: { refusedPerMinute: 3 }, auth: { secret }, clock });
    const wrong = { authorization: 'Bearer nonsense' };
    for (let n = 0; n < 3; n++) await expect(bastion.open(wrong)).rejects.toThrow('401');
    for (let n = 0; n < 50; n++) await expect(bastion.open(wrong)).rejects.toThrow('429');
    expect(bastion.lines).toEqual([expect.stringContaining('refused a connection from 127.0.0.1')]);
    const auth = secretAuth([secret], [bastion.origin, ...bastion.names], systemClock);
    const token = await auth.sign({ from: bastion.name, to: bastion.origin });
    await bastion.open({ authorization: `Bearer ${token}` });
    clock.advance(60_000);
    await expect(bastion.open(wrong)).rejects.toThrow('401');
    // a minute is also long enough to miss the hosts of the list that nobody plays here
    expect(bastion.lines.filter((line) => !line.includes('has not connected'))).toHaveLength(1);
  });
});

describe('errorTextBytes', () => {
  it.each([
    ['at the limit it arrives whole', 32, 64],
    ['one past it is cut between two characters', 33, 64],
    ['far past it too', 1_000_000, 64],
  ])('%s', async (_, letters, arrive) => {
    bastion = await Bastion.raise({ limits: { errorTextBytes: 65 } });
    const attacker = await bastion.attacker(bastion.name, []);
    await attacker.send({ ...ask, muxId: 1, handler: 68, payload: String(letters) });
    await until(async () => attacker.count(op.Response) === 1, 'no answer');
    expect(textOf(attacker.lastOf(op.Response))).toBe('é'.repeat(arrive / 2));
  });
});

it('each limit of the table is tried here', () => {
  const tried = new Set<keyof GridLimits>([
    ...CUTS.map(({ limit }) => limit),
    ...REFUSALS.map(({ limit }) => limit),
    ...(['queuedBytes', 'unreadBytes', 'unreadMessages'] as const),
    ...(['handshakeMs', 'pendingHandshakes', 'refusedPerMinute', 'errorTextBytes'] as const),
  ]);
  const known = Object.keys(LIMITS).filter((limit) => limit !== 'metadataBytes');
  expect([...tried].toSorted()).toEqual(known.toSorted());
});
