import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { CallContext } from '../../lib/calls/index.js';
import { filter, firstValueFrom } from 'rxjs';
import { isDisconnected } from '../../lib/errors/index.js';
import { drained } from '../../lib/manager/drain.js';
import type { GridManager, GridOptions } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { systemClock, type Clock, type Timer } from '../../lib/time/index.js';
import { decodePong, encodePong, Flag, Op, type Message } from '../../lib/wire/index.js';
import { frameOf, message, messagesOf } from '../connection/raw-peer.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, Neighbourhood, SECRET, type House } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';
import { rejectionOf, thrownBy } from './refusal.js';

let hood: Neighbourhood;
let dialer: House;
let acceptor: House;

afterEach(() => hood.close());

/** The system's time, with its timers counted. */
class CountingClock implements Clock {
  readonly running = new Set<Timer>();
  readonly now = systemClock.now;
  readonly date = systemClock.date;
  readonly random = systemClock.random;

  setTimer(delayMs: number, fire: () => void): Timer {
    const inner = systemClock.setTimer(delayMs, () => {
      this.running.delete(timer);
      fire();
    });
    const timer: Timer = {
      cancel: () => {
        inner.cancel();
        this.running.delete(timer);
      },
    };
    this.running.add(timer);
    return timer;
  }
}

async function pair(
  options: Partial<GridOptions> = {},
  prepare: (grid: GridManager) => void = () => {},
): Promise<[GridManager, GridManager]> {
  hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
  const grids: [GridManager, GridManager] = [dialer.grid(options), acceptor.grid(options)];
  grids.forEach(prepare);
  for (const grid of grids) void grid.start();
  await allConnected(...grids);
  return grids;
}

describe('closing', () => {
  it.each([0, 1])('leaves no timer, no socket and no listener at host %i', async (which) => {
    const clock = new CountingClock();
    const grids = await pair({ clock });
    const [closing, other] = [grids[which]!, grids[1 - which]!];
    const house = which === 0 ? dialer : acceptor;
    expect(house.server.listenerCount('upgrade')).toBe(1);
    await Promise.all([closing.close(), closing.close()]);
    await closing.close();
    expect(house.server.listenerCount('upgrade')).toBe(0);
    expect(Object.hasOwn(house.server, 'emit')).toBe(false);
    await until(() => acceptor.sockets === 0, 'no socket');
    expect(other.peer(closing.local).state).not.toBe('connected');
    await other.close();
    await until(() => clock.running.size === 0, 'no timer');
    expect(dialer.sockets).toBe(0);
  });

  it('serves no further server from then on', async () => {
    const [a] = await pair();
    const closing = a.close();
    const refused = { code: 'FAILED_PRECONDITION', reason: 'closed' };
    expect(thrownBy(() => a.attach(acceptor.server))).toMatchObject(refused);
    await closing;
    for (const { server } of [dialer, acceptor]) {
      const listeners = server.listenerCount('upgrade');
      expect(thrownBy(() => a.attach(server))).toMatchObject(refused);
      expect(server.listenerCount('upgrade')).toBe(listeners);
    }
    expect(Object.hasOwn(dialer.server, 'emit')).toBe(false);
  });

  it('tells the peer that it leaves, closes with 1001, and logs no loss of its own', async () => {
    const [a, b] = await pair();
    const ended = firstValueFrom(b.events.pipe(filter((event) => event.type === 'down')));
    await a.close();
    await until(() => b.peer(a.local).state === 'disconnected', 'the peer knows');
    expect((await ended).error.message).toContain('1001');
    expect(acceptor.log.lines).toEqual([expect.stringContaining('is leaving: this host is shutting down')]);
    expect(dialer.log.lines).toEqual([]);
  });

  it('lets running calls end, takes no new ones, and aborts what takes too long', async () => {
    const told = new EventEmitter();
    const [a, b] = await pair({ drainTimeoutMs: 150 }, (grid) => {
      grid.handle(60, {}, async (name: string, { signal }: CallContext) => {
        told.emit(name);
        if (name === 'endless') await once(signal, 'abort');
        else await once(told, `end ${name}`);
        if (signal.aborted) told.emit('aborted', signal.reason);
        return `${name} done`;
      });
    });
    const running = Promise.all([once(told, 'short'), once(told, 'endless')]);
    const short = a.peer(b.local).request(60, 'short');
    const endless = rejectionOf(a.peer(b.local).request(60, 'endless'));
    await running;
    const aborted = once(told, 'aborted');
    const closed = b.close();
    expect(await rejectionOf(a.peer(b.local).request(60, 'late'))).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'draining',
      notSent: true,
      remote: true,
    });
    told.emit('end short');
    expect(await short).toBe('short done');
    expect(isDisconnected(await endless)).toBe(true);
    expect(isDisconnected((await aborted)[0])).toBe(true);
    await closed;
  });

  it('waits for what runs as long as drainTimeoutMs, and no longer', async () => {
    const clock = new ManualClock();
    let over = false;
    const waiting = drained(() => true, () => {}, clock, 150).then(() => (over = true));
    for (let ms = 1; ms < 150; ms++) {
      clock.advance(1);
      await turn();
    }
    expect(over).toBe(false);
    clock.advance(1);
    await waiting;
    expect(clock.timers).toBe(0);
  });

  it.each(['stands again', 'is gone'])('waits for a handler whose connection was lost and %s', async (now) => {
    const told = new EventEmitter();
    let ended = false;
    const [a, b] = await pair({ drainTimeoutMs: 30_000 }, (grid) => {
      grid.handle(60, {}, async (_: unknown, { signal }: CallContext) => {
        told.emit('runs');
        await once(signal, 'abort');
        told.emit('aborted');
        // what it has begun it ends
        await once(told, 'end');
        ended = true;
      });
    });
    const runs = once(told, 'runs');
    const call = rejectionOf(a.peer(b.local).request(60));
    await runs;
    const aborted = once(told, 'aborted');
    acceptor.killIncoming();
    expect(await call).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    await aborted;
    if (now === 'stands again') await allConnected(a, b);
    else await a.close();
    const closing = b.close().then(() => expect(ended).toBe(true));
    await turn();
    await turn();
    told.emit('end');
    await closing;
  });

  it('does not wait when nothing runs', async () => {
    const [a, b] = await pair({ drainTimeoutMs: 60_000 });
    await Promise.all([a.close(), b.close()]);
    for (const { log } of [dialer, acceptor]) expect(log.matching(/drainTimeoutMs/)).toEqual([]);
  });

  it('waits for its own calls too, and ends those that take too long', async () => {
    const [a, b] = await pair({ drainTimeoutMs: 100 }, (grid) => grid.handle(60, {}, () => new Promise(() => {})));
    const pending = Array.from({ length: 100 }, () => rejectionOf(a.peer(b.local).request(60)));
    const stream = rejectionOf(a.peer(b.local).stream(60).done);
    await until(() => b.stats().peers[0]!.running === 101, 'all run');
    await a.close();
    for (const error of await Promise.all([...pending, stream])) expect(isDisconnected(error)).toBe(true);
    expect(await rejectionOf(a.peer(b.local).request(60))).toMatchObject({ reason: 'closed', notSent: true });
  });

  it('tells what it aborts when its time is up', async () => {
    const told = new EventEmitter();
    const [a, b] = await pair({ drainTimeoutMs: 100 }, (grid) => {
      const never = (): Promise<never> => new Promise(() => {});
      grid.handle(60, { kind: 'request' }, never);
      grid.handle('slow', { kind: 'event' }, () => told.emit('runs') && never());
      for (let id = 100; id < 110; id++) grid.handle(id, { kind: 'request' }, never);
    });
    const house = dialer;
    const runs = once(told, 'runs');
    await b.peer(a.local).emit('slow');
    const calls = [
      ...[60, 60, ...Array.from({ length: 10 }, (_, index) => 100 + index)].map((id) => b.peer(a.local).request(id)),
      a.peer(b.local).request(60),
      a.peer(a.local).request(60),
    ].map(rejectionOf);
    await runs;
    await until(() => a.stats().peers[0]!.running === 13 && a.stats().self.running === 1, 'all run');
    await until(() => b.stats().peers[0]!.running === 1, 'its own too');
    await a.close();
    await Promise.all(calls);
    const seven = Array.from({ length: 7 }, (_, index) => `1 of ${100 + index} from ${b.local}`).join(', ');
    expect(house.log.matching(/not all ended/)).toEqual([
      'not all ended within drainTimeoutMs (100), the rest is aborted; running handlers: 14 (slow); ' +
        `calls of others: 12 (2 of 60 from ${b.local}, ${seven}, …); ` +
        `own calls: 2 (1 of 60 to ${b.local}, 1 of 60 to ${a.local})`,
    ]);
    // the call of this one ended with the connection
    await b.close();
    expect(acceptor.log.matching(/not all ended/)).toEqual([
      'not all ended within drainTimeoutMs (100), the rest is aborted; running handlers: 1',
    ]);
  });

  it('names the host whose silence takes its time, where nothing runs', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const [first, second] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
    const grid = second.grid({ drainTimeoutMs: 100 });
    void grid.start();
    const token = await secretAuth([SECRET], hood.origins, systemClock).sign({ from: first.origin, to: second.origin });
    // a process that is frozen: its system takes what is sent to it
    const frozen = await RawDialer.open(second.origin, token);
    const closed = frozen.closed();
    await frozen.connect(first.origin, token, { ext: ['drain'] });
    await allConnected(grid);
    await grid.close();
    expect(second.log.matching(/not all ended/)).toEqual([
      `not all ended within drainTimeoutMs (100), the rest is aborted; hosts that do not answer: 1 (${first.origin})`,
    ]);
    await closed;
  });

  it('does not go before the peer has the last answer: on a slow link the system holds seconds of it', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const [first, second] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
    const grid = second.grid({ drainTimeoutMs: 30_000 });
    const told = new EventEmitter();
    grid.handle(60, {}, async () => {
      told.emit('runs');
      await once(told, 'end');
    });
    void grid.start();
    const token = await secretAuth([SECRET], hood.origins, systemClock).sign({ from: first.origin, to: second.origin });
    const peer = await RawDialer.open(second.origin, token);
    const heard: Message[] = [];
    await peer.connect(first.origin, token, { ext: ['drain'] });
    peer.ws.on('message', (frame: Buffer) => heard.push(...messagesOf(new Uint8Array(frame))));
    const closed = peer.closed();
    const ops = (): Op[] => heard.map(({ op }) => op);
    const send = (op: Op, fields: Partial<Message>): void => peer.ws.send(frameOf(message(op, fields)));
    const answer = (): void => send(Op.Pong, { payload: encodePong(decodePong(heard.at(-1)!.payload)) });
    const runs = once(told, 'runs');
    send(Op.Request, { muxId: 7, handler: 60, flags: Flag.Eof, deadlineMs: 60_000 });
    await runs;
    const closing = grid.close();
    await until(() => heard.length === 2, 'it tells that it leaves');
    answer();
    told.emit('end');
    await until(() => heard.length === 4, 'it asks whether the answer has come');
    expect(ops()).toEqual([Op.Disconnect, Op.Ping, Op.Response, Op.Ping]);
    answer();
    await closing;
    expect(await closed).toEqual([1001, 'this host closes']);
    expect(second.log.matching(/not all ended/)).toEqual([]);
  });

  it('does not ask a peer that speaks no more than v1: it may answer no ping', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const [first, second] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
    const grid = second.grid({ drainTimeoutMs: 600_000 });
    void grid.start();
    const token = await secretAuth([SECRET], hood.origins, systemClock).sign({ from: first.origin, to: second.origin });
    const peer = await RawDialer.open(second.origin, token);
    await peer.connect(first.origin, token);
    const heard: Buffer[] = [];
    peer.ws.on('message', (frame: Buffer) => heard.push(frame));
    const closed = peer.closed();
    await grid.close();
    expect(await closed).toEqual([1001, 'this host closes']);
    expect(heard).toEqual([]);
  });

  it('waits for an event whose handler still runs', async () => {
    const told = new EventEmitter();
    const [a, b] = await pair({}, (grid) => {
      grid.handle('slow', { kind: 'event' }, async () => {
        told.emit('runs');
        await once(told, 'end');
        told.emit('ended');
      });
    });
    const runs = once(told, 'runs');
    await a.peer(b.local).emit('slow');
    await runs;
    const order: string[] = [];
    told.once('ended', () => order.push('ended'));
    const closed = b.close().then(() => order.push('closed'));
    setImmediate(() => told.emit('end'));
    await closed;
    expect(order).toEqual(['ended', 'closed']);
  });

  it('drops sockets whose handshake is not over', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const grid = b.grid();
    void grid.start();
    const token = await secretAuth([SECRET], hood.origins, systemClock).sign({ from: a.origin, to: b.origin });
    const silent = await RawDialer.open(b.origin, token);
    const closed = silent.closed();
    await grid.close();
    await closed;
  });

  it('before the start is fine, and final', async () => {
    hood = await Neighbourhood.build(2);
    const grid = hood.houses[0]!.grid();
    const waiting = rejectionOf(grid.peers[0]!.waitForConnect());
    await grid.close();
    expect(await waiting).toMatchObject({ code: 'UNAVAILABLE', reason: 'closed' });
    expect(await rejectionOf(grid.start())).toMatchObject({ reason: 'closed' });
  });

  it('is final for what ran too: neither start() nor a way in go well again', async () => {
    const [a] = await pair();
    const refusal = { code: 'FAILED_PRECONDITION', message: 'the grid is closed', reason: 'closed' };
    await a.start();
    const closed = a.close();
    expect(await rejectionOf(a.start())).toMatchObject(refusal);
    await closed;
    expect(await rejectionOf(a.start())).toMatchObject(refusal);
    expect(await rejectionOf(a.listen())).toMatchObject(refusal);
    expect(thrownBy(() => a.attach(createServer()))).toMatchObject(refusal);
  });

  it('while dialing gives the dial up', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const [first] = localDials(a.origin, b.origin) ? [a] : [b];
    let aborted = false;
    const told = new EventEmitter();
    const grid = first.grid({
      dialer: (_peer, signal) =>
        new Promise((_resolve, reject) => {
          told.emit('dialing');
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(signal.reason as Error);
          });
        }),
    });
    const dialing = once(told, 'dialing');
    void grid.start();
    await dialing;
    await grid.close();
    expect(aborted).toBe(true);
    expect(first.log.lines).toEqual([]);
  });

  it('while the answer to its Connect is on the way loses no call of a peer that is connected', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
    const [here, there] = socketPair();
    here.stall();
    const staying = acceptor.grid();
    const leaving = dialer.grid({
      dialer: () => {
        staying.incoming(there);
        return Promise.resolve(here);
      },
    });
    leaving.handle(60, {}, () => 'answer');
    void staying.start();
    void leaving.start();
    await staying.peer(leaving.local).waitForConnect();
    const calls = Array.from({ length: 10 }, () => rejectionOf(staying.peer(leaving.local).request(60)));
    const closed = leaving.close();
    await turn();
    here.flow();
    const refused = { code: 'UNAVAILABLE', reason: 'draining', notSent: true };
    for (const error of await Promise.all(calls)) expect(error).toMatchObject(refused);
    await closed;
    await until(() => staying.peer(leaving.local).state === 'disconnected', 'the peer knows');
    expect(acceptor.log.lines).toEqual([`${leaving.local} is leaving: this host is shutting down`]);
    expect(dialer.log.lines).toEqual([]);
  });

  it('completes the events', async () => {
    const [a] = await pair();
    const types: string[] = [];
    const over = new Promise<void>((resolve) =>
      a.events.subscribe({ next: ({ type }) => types.push(type), complete: resolve }),
    );
    await a.close();
    await over;
    expect(types).toEqual(['draining']);
  });
});
