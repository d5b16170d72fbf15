import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../lib/connection/index.js';
import { GridError } from '../../lib/errors/index.js';
import type { GridEvent } from '../../lib/manager/index.js';
import { INTERVALS } from '../../lib/manager/limits.js';
import { LinkLog } from '../../lib/manager/link-log.js';
import { PeerLink } from '../../lib/manager/peer-link.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { CloseCode } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { LogBook } from './neighbourhood.js';
import { rejectionOf, thrownBy } from './refusal.js';

const PEER = 'http://b:9000';
const LOCAL = 'http://self:9000';
const away = (): GridError => new GridError('UNAVAILABLE', 'connect ECONNREFUSED', { reason: 'not-connected' });
const cut = (): GridError => new GridError('UNAVAILABLE', 'the socket was closed: 1006', { reason: 'disconnected' });

/** What a link sees of a connection. */
class FakeConnection {
  readonly remoteAddress = '10.0.0.2';
  readonly mux = {};
  readonly codes: number[] = [];
  onClosed: ((error: GridError, code: number) => void) | undefined;
  onPeerDraining: ((reason: string) => void) | undefined;
  onGoodbye: (() => void) | undefined;
  peerDrainReason: string | undefined;
  closeCode: number | undefined;
  readonly drained: string[] = [];
  closed: GridError | undefined;

  constructor(readonly remoteId: Uint8Array) {}

  get peerDrains(): boolean {
    return this.peerDrainReason !== undefined;
  }

  close(code: number): void {
    if (this.closed) return;
    this.codes.push(code);
    this.end(cut(), code);
  }

  drain(reason: string): void {
    this.drained.push(reason);
  }

  sayDraining(reason: string): void {
    this.peerDrainReason = reason;
    this.onPeerDraining?.(reason);
  }

  end(error: GridError, code: number): void {
    this.closed = error;
    this.closeCode = code;
    this.onClosed?.(error, code);
  }
}

function process(id: number): Uint8Array {
  return new Uint8Array(16).fill(id);
}

function made(id = 1): { fake: FakeConnection; connection: Connection } {
  const fake = new FakeConnection(process(id));
  return { fake, connection: fake as unknown as Connection };
}

/** A link on a clock moved by hand; each dial is settled by the test. */
function linkOf({ dials = true, chance = 0.5 } = {}) {
  const clock = new ManualClock(0, () => chance);
  const book = new LogBook();
  const events: GridEvent[] = [];
  const attempts: {
    at: number;
    signal: AbortSignal;
    /** Connect is sent. */
    greet(): void;
    resolve(connection: Connection): void;
    reject(error: unknown): void;
  }[] = [];
  const link = new PeerLink(PEER, dials, {
    local: LOCAL,
    clock,
    intervals: INTERVALS,
    log: new LinkLog(book, clock, PEER),
    tell: (event) => events.push(event),
    heldBytes: 1_000,
    dial: (signal, _stats, _load, greet) =>
      new Promise((resolve, reject) => attempts.push({ at: clock.now(), signal, greet, resolve, reject })),
  });
  /** Lets what the last attempt settled take effect. */
  const settled = turn;
  const connect = async (id?: number): Promise<FakeConnection> => {
    const { fake, connection } = made(id);
    attempts.at(-1)!.resolve(connection);
    await settled();
    return fake;
  };
  const fail = async (error: unknown = away()): Promise<void> => {
    attempts.at(-1)!.reject(error);
    await settled();
  };
  return { clock, book, events, attempts, link, connect, fail, settled };
}

describe('dialing', () => {
  it('begins at once', () => {
    const { attempts, link } = linkOf();
    link.start();
    link.start();
    expect(attempts).toHaveLength(1);
    link.close();
  });

  it.each([
    [0, 1_000],
    [0.5, 1_500],
    [0.999, 1_999],
  ])('with chance %d starts again %i ms after the last start, however long that took', async (chance, pause) => {
    const { clock, attempts, link, fail } = linkOf({ chance });
    link.start();
    await fail();
    clock.advance(pause - 1);
    expect(attempts).toHaveLength(1);
    clock.advance(1);
    expect(attempts).toHaveLength(2);
    clock.advance(1_900);
    await fail();
    clock.advance(100);
    expect(attempts).toHaveLength(3);
    link.close();
    expect(clock.timers).toBe(0);
  });

  it('goes on for ever, and at once when a long connection is lost', async () => {
    const { clock, attempts, link, connect, fail, events } = linkOf();
    link.start();
    for (let i = 0; i < 1_000; i++) {
      await fail();
      clock.advance(2_000);
    }
    expect(attempts).toHaveLength(1_001);
    const connection = await connect();
    expect(link.state).toBe('connected');
    clock.advance(60_000);
    connection.end(cut(), 1006);
    expect(link.state).toBe('disconnected');
    expect(attempts).toHaveLength(1_002);
    await connect();
    expect(link.reconnects).toBe(1);
    expect(events.map(({ type }) => type)).toEqual(['up', 'down', 'up']);
    link.close();
  });

  it('does not dial in a loop a host that accepts and closes at once', async () => {
    const { clock, attempts, link, connect } = linkOf();
    link.start();
    (await connect()).end(cut(), 1006);
    expect(attempts).toHaveLength(1);
    clock.advance(1_500);
    expect(attempts).toHaveLength(2);
    link.close();
  });

  it('treats a connection that ended right after its handshake as lost', async () => {
    const { clock, attempts, link, settled } = linkOf();
    link.start();
    const { fake, connection } = made();
    fake.closed = cut();
    attempts[0]!.resolve(connection);
    await settled();
    expect(link.state).toBe('disconnected');
    clock.advance(1_500);
    expect(attempts).toHaveLength(2);
    link.close();
  });

  it('waits a minute too where that was said together with the answer to Connect', async () => {
    const { clock, attempts, link, book, events, settled } = linkOf();
    link.start();
    const { fake, connection } = made();
    fake.close(CloseCode.Replaced);
    const waited = link.waitForConnect();
    attempts[0]!.resolve(connection);
    await settled();
    expect(book.lines).toEqual([expect.stringContaining('another process calls itself')]);
    expect(events.map(({ type }) => type)).toEqual(['up', 'down']);
    clock.advance(59_999);
    expect(attempts).toHaveLength(1);
    clock.advance(1);
    expect(attempts).toHaveLength(2);
    attempts[1]!.resolve(made().connection);
    await waited;
    link.close();
  });

  it('waits a minute after another process took the name over', async () => {
    const { clock, attempts, link, connect } = linkOf();
    link.start();
    const connection = await connect();
    clock.advance(100_000);
    connection.end(new GridError('UNAVAILABLE', 'replaced'), CloseCode.Replaced);
    clock.advance(59_999);
    expect(attempts).toHaveLength(1);
    clock.advance(1);
    expect(attempts).toHaveLength(2);
    link.close();
  });

  it('fights over its name in one line an hour', async () => {
    const { clock, book, link, connect, settled } = linkOf();
    link.start();
    for (let round = 0; round < 90; round++) {
      const connection = await connect();
      connection.end(new GridError('UNAVAILABLE', 'replaced'), CloseCode.Replaced);
      clock.advance(INTERVALS.replacedMs);
      await settled();
    }
    const line = `another process calls itself ${LOCAL}: ${PEER} took its connection for ours; we wait 60000 ms`;
    expect(book.lines).toEqual([line, `connected to ${PEER} again`, line, `connected to ${PEER} again`]);
    link.close();
  });

  it('is given up when the link is closed; a connection that comes late is closed', async () => {
    const { clock, attempts, link, connect } = linkOf();
    link.start();
    link.close();
    expect(attempts[0]!.signal.aborted).toBe(true);
    const late = await connect();
    expect(late.codes).toEqual([1001]);
    expect(link.state).toBe('closed');
    expect(clock.timers).toBe(0);
  });

  it('ends with a link that is retired, unless it is connected', async () => {
    const idle = linkOf();
    idle.link.start();
    idle.link.retire('closing');
    expect(idle.link.state).toBe('closed');
    const busy = linkOf();
    busy.link.start();
    const connection = await busy.connect();
    busy.link.retire('closing');
    expect(busy.link.state).toBe('connected');
    expect(connection.drained).toEqual(['closing']);
    connection.end(cut(), 1006);
    expect(busy.link.state).toBe('closed');
    expect(busy.attempts).toHaveLength(1);
  });

  it('that has sent its Connect is finished by a link that is retired: the peer is told like any other', async () => {
    const { attempts, link, connect, book, clock } = linkOf();
    link.start();
    expect(link.greeting).toBe(false);
    attempts[0]!.greet();
    link.retire('closing');
    expect([link.greeting, link.state, attempts[0]!.signal.aborted]).toEqual([true, 'connecting', false]);
    const connection = await connect();
    expect([connection.drained, connection.codes]).toEqual([['closing'], []]);
    expect([link.greeting, link.state]).toEqual([false, 'connected']);
    connection.end(cut(), 1006);
    expect([link.state, attempts.length, clock.timers, book.lines]).toEqual(['closed', 1, 0, []]);
  });

  it('that has sent its Connect and fails is the last one of a link that is retired', async () => {
    const { attempts, link, fail, book, clock } = linkOf();
    link.start();
    attempts[0]!.greet();
    link.retire('closing');
    await fail();
    expect([link.state, attempts.length, clock.timers, book.lines]).toEqual(['closed', 1, 0, []]);
  });

  it('that has sent its Connect is given up at the end of the drain', async () => {
    const { attempts, link, connect, clock } = linkOf();
    link.start();
    attempts[0]!.greet();
    link.retire('closing');
    link.close();
    expect(attempts[0]!.signal.aborted).toBe(true);
    expect((await connect()).codes).toEqual([1001]);
    expect([link.state, clock.timers]).toEqual(['closed', 0]);
  });

  it('that is given up before its Connect is sent stays so', () => {
    const { attempts, link } = linkOf();
    link.start();
    link.retire('closing');
    attempts[0]!.greet();
    expect([link.greeting, link.state, attempts[0]!.signal.aborted]).toEqual([false, 'closed', true]);
  });
});

describe('a peer that drains', () => {
  it('gets no new calls, is named once, and is dialed again only when its connection has ended', async () => {
    const { clock, attempts, link, connect, book, events } = linkOf();
    link.start();
    const connection = await connect();
    expect(link.line()).toBe(connection.mux);
    connection.sayDraining('deploy');
    expect(() => link.line()).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE', reason: 'draining', notSent: true, message: 'draining' }),
    );
    const waited = link.waitForConnect();
    clock.advance(10_000);
    expect(attempts).toHaveLength(1);
    connection.end(cut(), 1001);
    clock.advance(2_000);
    await connect();
    await waited;
    expect(book.lines).toEqual([expect.stringContaining('is leaving: deploy'), expect.stringContaining('again')]);
    expect(events.map(({ type }) => type)).toEqual(['up', 'draining', 'down', 'up']);
    link.close();
  });
});

describe('a peer that drains as soon as it is connected', () => {
  it('is told of like any other: who waits for a connection waits for the next one', async () => {
    const { clock, attempts, link, book, events, settled } = linkOf();
    link.start();
    const { fake, connection } = made();
    fake.sayDraining('deploy');
    let waited = false;
    const waiting = link.waitForConnect().then(() => (waited = true));
    attempts[0]!.resolve(connection);
    await settled();
    expect(book.lines).toEqual([`${PEER} is leaving: deploy`]);
    expect([link.state, waited]).toEqual(['connected', false]);
    fake.end(cut(), 1001);
    expect(events.map(({ type }) => type)).toEqual(['up', 'draining', 'down']);
    expect(book.lines).toHaveLength(1);
    clock.advance(1_500);
    attempts[1]!.resolve(made().connection);
    await waiting;
    link.close();
  });
});

describe('accepting', () => {
  it('waits, and takes what comes', () => {
    const { attempts, link, clock } = linkOf({ dials: false });
    link.start();
    clock.advance(100_000);
    expect(attempts).toHaveLength(0);
    const { fake, connection } = made();
    link.adopt(connection);
    expect(link.state).toBe('connected');
    fake.end(cut(), 1006);
    expect(link.state).toBe('disconnected');
    expect(attempts).toHaveLength(0);
    link.close();
  });

  it('replaces the connection that stands: the old one is closed with 4001 and is not "lost"', () => {
    const { link, events, book } = linkOf({ dials: false });
    link.start();
    const [first, second] = [made(), made()];
    link.adopt(first.connection);
    link.adopt(second.connection);
    expect(first.fake.codes).toEqual([4001]);
    expect(link.connection).toBe(second.connection);
    expect(link.state).toBe('connected');
    expect(events.map(({ type }) => type)).toEqual(['up', 'up']);
    expect(book.lines).toEqual([]);
    link.close();
    expect(second.fake.codes).toEqual([1001]);
  });

  it('tells a restarted peer by its ID', () => {
    const { link, events } = linkOf({ dials: false });
    link.start();
    const first = made(1);
    link.adopt(first.connection);
    first.fake.end(cut(), 1006);
    link.adopt(made(2).connection);
    expect(events.map(({ type }) => type)).toEqual(['up', 'down', 'restarted', 'up']);
    expect(events.at(-1)).toMatchObject({ restarted: true });
    link.close();
  });

  it('logs a stolen name once, with addresses and IDs', () => {
    const uuid = (byte: string): string => [4, 2, 2, 2, 6].map((bytes) => byte.repeat(bytes)).join('-');
    const { link, book } = linkOf({ dials: false });
    link.start();
    const living: FakeConnection[] = [];
    for (let id = 1; id <= 5; id++) {
      const { fake, connection } = made(id);
      link.adopt(connection);
      living.push(fake);
    }
    // whether they live is not known before they answer the goodbye
    expect(book.lines).toEqual([]);
    for (const { onGoodbye } of living) onGoodbye?.();
    const [first, second] = [uuid('01'), uuid('02')].map((id) => `process ${id} at 10.0.0.2`);
    expect(book.lines).toEqual([`two processes call themselves ${PEER}: ${first} is replaced by ${second}`]);
    link.close();
  });
});

describe('B50 the lines about a peer that is down', () => {
  it('are one when it is lost, one an hour, and one when it is back', async () => {
    const { clock, book, link, connect, fail } = linkOf();
    link.start();
    const connection = await connect();
    expect(book.lines).toEqual([]);
    connection.end(cut(), 1006);
    expect(book.lines).toEqual([`lost the connection to ${PEER}: the socket was closed: 1006`]);
    for (let i = 0; i < 400; i++) {
      clock.advance(1_500);
      // the text of the error changes; the peer does not
      await fail(new GridError('UNAVAILABLE', `failure ${i}`));
    }
    expect(book.lines).toHaveLength(1);
    while (clock.now() < 3_600_000 + 3_000) {
      clock.advance(1_500);
      await fail();
    }
    expect(book.lines).toHaveLength(2);
    expect(book.lines[1]).toMatch(
      /cannot reach http:\/\/b:9000: connect ECONNREFUSED \(\d+ attempts; it is tried on\)/,
    );
    clock.advance(1_500);
    await connect();
    expect(book.lines.slice(2)).toEqual([`connected to ${PEER} again`]);
    link.close();
    expect(book.lines).toHaveLength(3);
  });

  it('of one that never was there begin with the second failure', async () => {
    const { clock, book, link, fail } = linkOf();
    link.start();
    await fail();
    expect(book.lines).toEqual([]);
    for (let i = 0; i < 50; i++) {
      clock.advance(1_500);
      await fail();
    }
    expect(book.lines).toEqual([`cannot reach ${PEER}: connect ECONNREFUSED (2 attempts; it is tried on)`]);
    link.close();
  });

  const absent = `${PEER} has not connected; it is the one that dials: is it up, does its list hold ${LOCAL}?`;

  it('of one that dials begin when it should have come long ago, with what to look for', () => {
    const { clock, book, link } = linkOf({ dials: false });
    link.start();
    clock.advance(29_999);
    expect(book.lines).toEqual([]);
    clock.advance(1);
    expect(book.lines).toEqual([absent]);
    clock.advance(3_599_999);
    expect(book.lines).toHaveLength(1);
    clock.advance(1);
    expect(book.lines).toEqual([absent, absent]);
    const { fake, connection } = made();
    link.adopt(connection);
    expect(book.lines.slice(2)).toEqual([`connected to ${PEER} again`]);
    expect(clock.timers).toBe(0);
    fake.end(cut(), 1006);
    clock.advance(3_600_000 + 30_000);
    expect(book.lines.slice(3)).toEqual([
      `lost the connection to ${PEER}: the socket was closed: 1006`,
      absent.replace('connected;', 'connected again;'),
    ]);
    link.close();
    expect(clock.timers).toBe(0);
  });

  it('of one that dials are none where it comes in time, and none after a stop', () => {
    const { clock, book, link } = linkOf({ dials: false });
    link.start();
    clock.advance(20_000);
    link.adopt(made().connection);
    clock.advance(100_000);
    link.retire('shutting down');
    link.close();
    expect(clock.timers).toBe(0);
    const stopped = linkOf({ dials: false });
    stopped.link.start();
    stopped.link.retire('shutting down');
    expect(stopped.clock.timers).toBe(0);
    stopped.clock.advance(100_000);
    expect([...book.lines, ...stopped.book.lines]).toEqual([]);
  });

  it('tell a refusal at once, with its reason, and not again', async () => {
    const { clock, book, link, fail, events } = linkOf();
    link.start();
    for (let i = 0; i < 50; i++) {
      await fail(new GridError('UNAUTHENTICATED', `the token is not valid ${i}`, { remote: true }));
      clock.advance(1_500);
    }
    expect(book.lines).toEqual([`${PEER} refuses us: the token is not valid 0`]);
    expect(events).toHaveLength(50);
    // what else is wrong with us once that is mended
    for (let i = 0; i < 5; i++) {
      await fail(new GridError('FAILED_PRECONDITION', `your clock is ${400 + i} s ahead`, { remote: true }));
      clock.advance(1_500);
    }
    expect(book.lines.slice(1)).toEqual([`${PEER} refuses us: your clock is 400 s ahead`]);
    link.close();
  });

  /** A failure whose cause is an error of Node with that code. */
  const failure = (text: string, code: string): GridError =>
    new GridError('UNAVAILABLE', text, { cause: Object.assign(new Error(text), { code }) });

  /** Dials on, so many times, and each fails so. */
  const failing = async (house: ReturnType<typeof linkOf>, error: GridError, times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await house.fail(error);
      house.clock.advance(1_500);
    }
  };

  it('of one that never was there tell what else is wrong once its port is open, each reason once', async () => {
    const house = linkOf();
    const { book, link, connect } = house;
    link.start();
    await failing(house, away(), 3);
    await failing(house, failure('socket hang up', 'ECONNRESET'), 1);
    // once is chance
    expect(book.lines).toHaveLength(1);
    await failing(house, failure('socket hang up', 'ECONNRESET'), 2);
    expect(book.lines.slice(1)).toEqual([`cannot reach ${PEER}: socket hang up (5 attempts; it is tried on)`]);
    for (let i = 0; i < 50; i++) {
      await failing(house, away(), 3);
      await failing(house, failure('socket hang up', 'ECONNRESET'), 3);
    }
    expect(book.lines).toHaveLength(2);
    await connect();
    expect(book.lines.slice(2)).toEqual([`connected to ${PEER} again`]);
    link.close();
  });

  it.each([
    ['certificate has expired', 'CERT_HAS_EXPIRED'],
    ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ["Host: b. is not in the cert's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['TLS: wrong version number', 'EPROTO'],
    ['Parse Error: Expected HTTP/', 'HPE_INVALID_CONSTANT'],
    ['connect EMFILE 10.0.0.2:9000', 'EMFILE'],
    ['connect EADDRNOTAVAIL 10.0.0.2:9000', 'EADDRNOTAVAIL'],
  ])('of one that comes back to no use tell why: %s', async (text, code) => {
    const house = linkOf();
    const { book, link, connect, clock } = house;
    link.start();
    (await connect()).end(cut(), 1006);
    clock.advance(1_500);
    await failing(house, away(), 3);
    await failing(house, failure('no answer within 2000 ms', 'ETIMEDOUT'), 3);
    await failing(house, failure('getaddrinfo EAI_AGAIN b', 'EAI_AGAIN'), 3);
    expect(book.lines).toEqual([`lost the connection to ${PEER}: the socket was closed: 1006`]);
    await failing(house, failure(text, code), 50);
    expect(book.lines.slice(1)).toEqual([`cannot reach ${PEER}: ${text} (11 attempts; it is tried on)`]);
    await connect();
    link.close();
  });

  it('tell eight reasons of one outage at most, and again after an hour', async () => {
    const house = linkOf();
    const { book, link } = house;
    link.start();
    const refusal = (i: number): GridError => new GridError('INTERNAL', 'x'.repeat(i + 1), { remote: true });
    for (let i = 0; i < 100; i++) await failing(house, refusal(i), 1);
    expect(book.lines).toHaveLength(8);
    await failing(house, refusal(100), 2_500);
    expect(book.lines.slice(8)).toEqual([`${PEER} refuses us: ${'x'.repeat(101)}`]);
    link.close();
  });

  it('who waits for it in vain learns why, and so does who calls', async () => {
    const { clock, link, fail } = linkOf();
    link.start();
    const waiting = link.waitForConnect({ timeoutMs: 100 });
    const why = new GridError('UNAUTHENTICATED', 'the token is not valid', { remote: true });
    await fail(why);
    clock.advance(100);
    await expect(waiting).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: `context deadline exceeded: no connection to ${PEER} within 100 ms: the token is not valid`,
      cause: why,
    });
    const thrown = thrownBy(() => link.line());
    expect(thrown).toMatchObject({ code: 'UNAVAILABLE', message: 'remote disconnected', cause: why });
    link.close();
  });

  it('who waits in vain is told a part of what the peer said, in one line; all of it is the cause', async () => {
    const { clock, link, fail } = linkOf();
    link.start();
    const waiting = link.waitForConnect({ timeoutMs: 100 });
    const said = `no\r\n[Nest] 1 - LOG well\u001b[2J\u202e${'x'.repeat(60_000)}`;
    const why = new GridError('FAILED_PRECONDITION', said, { remote: true });
    await fail(why);
    clock.advance(100);
    const { message, cause } = await rejectionOf(waiting);
    const told = `no [Nest] 1 - LOG well [2J ${'x'.repeat(1_000)}`.slice(0, 512);
    expect(message).toBe(`context deadline exceeded: no connection to ${PEER} within 100 ms: ${told}…`);
    expect(cause === why).toBe(true);
    link.close();
  });
});

describe('a peer that is to dial, and has not', () => {
  it('is what a wait in vain and the cause of a call say, until there is something better to tell', async () => {
    const { clock, link } = linkOf({ dials: false });
    link.start();
    const why = `${PEER} has not connected; it is the one that dials: is it up, does its list hold ${LOCAL}?`;
    const waiting = link.waitForConnect({ timeoutMs: 100 });
    clock.advance(100);
    await expect(waiting).rejects.toMatchObject({
      message: `context deadline exceeded: no connection to ${PEER} within 100 ms: ${why}`,
    });
    expect(thrownBy(() => link.line())).toMatchObject({
      message: 'remote disconnected',
      notSent: true,
      cause: { code: 'UNAVAILABLE', message: why },
    });
    const { fake, connection } = made();
    link.adopt(connection);
    fake.end(cut(), CloseCode.Abnormal);
    expect(thrownBy(() => link.line()).cause).toMatchObject({ message: cut().message });
    link.close();
  });
});

describe('a peer that is to dial, and that we refuse', () => {
  const why = (reason: string, again = ''): string =>
    `${PEER} has not connected${again}; it is the one that dials, and we refused a connection in its name: ${reason}`;

  it('is told with the reason, in the log and as the cause of calls, until it is let in', () => {
    const { clock, book, link } = linkOf({ dials: false });
    link.start();
    link.refused('the token\r\nis not valid');
    clock.advance(30_000);
    expect(book.lines).toEqual([why('the token is not valid')]);
    link.refused('your clock is 360 s ahead');
    expect(thrownBy(() => link.line()).cause).toMatchObject({ message: why('your clock is 360 s ahead') });
    const { fake, connection } = made();
    link.adopt(connection);
    // of somebody else: the peer is here
    link.refused('the token is not valid');
    fake.end(cut(), CloseCode.Abnormal);
    expect(thrownBy(() => link.line()).cause).toMatchObject({ message: cut().message });
    link.refused('no certificate');
    expect(thrownBy(() => link.line()).cause).toMatchObject({ message: why('no certificate', ' again') });
    clock.advance(3_600_000 + 30_000);
    expect(book.lines.at(-1)).toBe(why('no certificate', ' again'));
    link.close();
    expect(clock.timers).toBe(0);
  });

  it('has its own reason where this host is the one that dials', async () => {
    const { link, fail } = linkOf();
    link.start();
    await fail();
    link.refused('it must not dial');
    expect(thrownBy(() => link.line()).cause).toMatchObject({ message: away().message });
    link.close();
  });
});

describe('the lines about a peer that comes and goes all the time', () => {
  const adopted = (link: PeerLink): FakeConnection => {
    const { fake, connection } = made();
    link.adopt(connection);
    return fake;
  };

  it('are so many in an hour, the last of which says so; then it is told how many were left out', () => {
    const { clock, book, link } = linkOf({ dials: false });
    link.start();
    for (let i = 0; i < 500; i++) adopted(link).end(cut(), 1006);
    expect(book.lines).toHaveLength(20);
    expect(book.lines.slice(0, 2)).toEqual([expect.stringContaining('lost'), `connected to ${PEER} again`]);
    expect(book.lines.at(-1)).toBe(`connected to ${PEER} again (no more lines of this sort for up to an hour)`);
    clock.advance(3_600_000);
    adopted(link);
    expect(book.lines.slice(20)).toEqual([`connected to ${PEER} again (979 lines before this one were left out)`]);
    link.close();
  });

  it('leave the lines about streams their own number', () => {
    const clock = new ManualClock();
    const book = new LogBook();
    const log = new LinkLog(book, clock, PEER);
    for (let i = 0; i < 500; i++) {
      log.blocked({ direction: 'incoming', handler: 65, forMs: 30_000, unreadHere: 4, unreadThere: 2 });
    }
    expect(book.lines).toHaveLength(20);
    log.lost(cut());
    expect(book.lines.at(-1)).toBe(`lost the connection to ${PEER}: the socket was closed: 1006`);
  });

  it('hold no line break, no command for a terminal and only a part of it, whatever the peer said', async () => {
    const { book, link, connect } = linkOf();
    link.start();
    const forged = `bye\r\n[Nest] 1 - LOG all is well\u001b[2J\u2028${'x'.repeat(1_000)}`;
    (await connect()).sayDraining(forged);
    const told = `bye [Nest] 1 - LOG all is well [2J ${'x'.repeat(1_000)}`.slice(0, 512);
    expect(book.lines).toEqual([`${PEER} is leaving: ${told}…`]);
    link.close();
  });
});

describe('waiting for a connection', () => {
  it('ends at once where it stands', async () => {
    const { link, connect } = linkOf();
    link.start();
    await connect();
    await link.waitForConnect();
    link.close();
  });

  it('ends with the connection, for everybody, and leaves nothing', async () => {
    const { clock, link, connect } = linkOf();
    const controller = new AbortController();
    const waits = [link.waitForConnect({ timeoutMs: 5_000 }), link.waitForConnect({ signal: controller.signal })];
    link.start();
    await connect();
    await Promise.all(waits);
    controller.abort();
    expect(clock.timers).toBe(0);
    link.close();
  });

  it('ends with DEADLINE_EXCEEDED at its time', async () => {
    const { clock, link } = linkOf({ dials: false });
    link.start();
    const { timers } = clock;
    const error = rejectionOf(link.waitForConnect({ timeoutMs: 100 }));
    clock.advance(99);
    expect(clock.timers).toBe(timers + 1);
    clock.advance(1);
    expect(await error).toMatchObject({ code: 'DEADLINE_EXCEEDED', peer: PEER });
    expect(clock.timers).toBe(timers);
    link.close();
  });

  it('ends with CANCELLED on its signal, also on one that was aborted before', async () => {
    const { clock, link } = linkOf({ dials: false });
    const controller = new AbortController();
    const error = rejectionOf(link.waitForConnect({ signal: controller.signal, timeoutMs: 100 }));
    controller.abort();
    expect(await error).toMatchObject({ code: 'CANCELLED', peer: PEER });
    expect(await rejectionOf(link.waitForConnect({ signal: controller.signal }))).toMatchObject({ code: 'CANCELLED' });
    expect(clock.timers).toBe(0);
    link.close();
  });

  it('does not begin with a signal that is none', async () => {
    const { clock, link } = linkOf({ dials: false });
    link.start();
    const { timers } = clock;
    const signal = new AbortController() as never;
    const error = await rejectionOf(link.waitForConnect({ signal, timeoutMs: 100 }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(clock.timers).toBe(timers);
    link.close();
  });

  it('ends with UNAVAILABLE when the grid is closed, and after', async () => {
    const { clock, link } = linkOf();
    link.start();
    const error = rejectionOf(link.waitForConnect({ timeoutMs: 100 }));
    link.close();
    link.close();
    const closed = { code: 'UNAVAILABLE', reason: 'closed', notSent: true };
    expect(await error).toMatchObject(closed);
    expect(await rejectionOf(link.waitForConnect())).toMatchObject(closed);
    expect(clock.timers).toBe(0);
  });
});
