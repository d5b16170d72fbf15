import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { handled } from '../../lib/errors/index.js';
import { GridManager, type GridEvent } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { systemClock } from '../../lib/time/index.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { House, LogBook, Neighbourhood, SECRET } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

interface Twin {
  readonly grid: GridManager;
  readonly log: LogBook;
}

let hood: Neighbourhood;
let dialer: House;
let acceptor: House;
let victim: GridManager;
let told: GridEvent[];
let twins: GridManager[];

beforeEach(async () => {
  hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
  twins = [];
  told = [];
  victim = acceptor.grid();
  victim.events.subscribe((event) => told.push(event));
  void victim.start();
});

afterEach(async () => {
  await Promise.all(twins.map((grid) => grid.close()));
  await hood.close();
});

/** A process that calls itself by the name of the dialer, with a token that is right. */
async function twin(name: string, replacedMs?: number): Promise<Twin> {
  const log = new LogBook();
  const grid = new GridManager({
    local: dialer.origin,
    hosts: hood.origins,
    auth: { secret: SECRET },
    logger: log,
    drainTimeoutMs: 0,
    intervals: { redialMs: 5, ...(replacedMs !== undefined && { replacedMs }) },
  });
  grid.handle(60, { kind: 'request' }, () => name);
  twins.push(grid);
  void grid.start();
  await grid.peers[0]!.waitForConnect({ timeoutMs: 30_000 });
  return { grid, log };
}

function whoAnswers(): Promise<unknown> {
  return victim.peer(dialer.origin).request(60);
}

describe('a name that two processes use', () => {
  it('belongs to the newest; the log says so once, with both addresses and both processes', async () => {
    const first = await twin('first');
    expect(await whoAnswers()).toBe('first');
    const open = first.grid.peers[0]!.request(61);
    const second = await twin('second');
    expect(await whoAnswers()).toBe('second');
    await expect(open).rejects.toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|UNIMPLEMENTED/) });

    const theft = (): string[] => acceptor.log.matching(/two processes/);
    await until(() => theft().length > 0, 'the loser answers the goodbye');
    const lines = theft();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^two processes call themselves \S+: process \S+ at 127\.0\.0\.1 is replaced by process \S+ at 127\.0\.0\.1$/,
    );
    expect(new Set(lines[0]!.match(UUID))).toHaveProperty('size', 2);
    // the loser knows, says so once, and waits its minute
    await until(() => first.log.lines.length > 0, 'a line of the loser');
    const taken = `${acceptor.origin} took its connection for ours; we wait 60000 ms`;
    expect(first.log.lines).toEqual([`another process calls itself ${dialer.origin}: ${taken}`]);
    for (let n = 0; n < 100; n++) expect(await whoAnswers()).toBe('second');
    expect(first.grid.peers[0]!.state).toBe('disconnected');
    expect(first.grid.stats().peers[0]!.reconnects).toBe(0);
    expect(second.log.lines).toEqual([]);
  });

  it('is no theft where the first one died unnoticed', async () => {
    const [from, to] = [dialer.origin, acceptor.origin];
    const token = await secretAuth([SECRET], hood.origins, systemClock).sign({ from, to });
    const dead = await RawDialer.open(acceptor.origin, token);
    await dead.connect(dialer.origin, token);
    await until(() => victim.peers[0]!.state === 'connected', 'it is connected');
    // nothing that comes is read any more, so nothing is answered
    dead.ws.pause();
    await twin('its successor');
    expect(await whoAnswers()).toBe('its successor');
    await until(() => acceptor.sockets === 1, 'the socket of the dead one is dropped');
    expect(told.map(({ type }) => type)).toEqual(['up', 'restarted', 'up']);
    expect(acceptor.log.lines).toEqual([]);
    dead.ws.terminate();
    // and a theft after that is told
    await twin('a thief');
    await until(() => acceptor.log.matching(/two processes/).length === 1, 'the loser answers the goodbye');
  });

  it('is given up by a loser with calls on their way, too', async () => {
    const first = await twin('first');
    let lost = false;
    const calls = (async () => {
      while (!lost) {
        // written in the turns in which the goodbye comes
        void handled(first.grid.peers[0]!.request(61));
        await turn();
      }
    })();
    const second = await twin('second');
    await until(() => first.log.lines.length > 0, 'a line of the loser');
    lost = true;
    await calls;
    expect(first.log.lines).toEqual([expect.stringContaining('took its connection for ours; we wait 60000 ms')]);
    expect(second.log.lines).toEqual([]);
  });

  it('is fought over in turns, and the fight makes no flood of lines', async () => {
    const [first, second] = [await twin('first', 10), await twin('second', 10)];
    const rounds = volume(20, 500);
    const taken = (): number => told.filter(({ type }) => type === 'restarted').length;
    await until(() => taken() > rounds, 'they take it from each other');
    expect(acceptor.log.matching(/two processes/)).toHaveLength(1);
    for (const { log } of [first, second]) {
      expect(log.matching(/another process calls itself/)).toHaveLength(1);
      expect(log.matching(/lost the connection/)).toEqual([]);
      expect(log.lines.length).toBeLessThan(4);
    }
  });
});
