import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { turn } from '../turn.js';
import { LogBook, SECRET } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';

const TEXT = 'waitForConnect() waits for a grid that has not started: call start()';
const [LOCAL, OTHER] = ['http://a:1', 'http://b:1'];

let clock: ManualClock;
let log: LogBook;
let grid: GridManager;

beforeEach(() => {
  clock = new ManualClock();
  log = new LogBook();
  const dialer = (): Promise<never> => new Promise(() => {});
  grid = new GridManager({ local: LOCAL, hosts: [LOCAL, OTHER], auth: { secret: SECRET }, logger: log, clock, dialer });
});

afterEach(async () => {
  await grid.close();
  expect(clock.timers).toBe(0);
});

describe('who waits for a connection of a grid that has not started', () => {
  it('makes a line after 5 s, one for all', async () => {
    const waits = [OTHER, OTHER, LOCAL].map((origin) => rejectionOf(grid.peer(origin).waitForConnect()));
    clock.advance(4_999);
    expect(log.lines).toEqual([]);
    clock.advance(1);
    expect(log.lines).toEqual([TEXT]);
    await grid.close();
    for (const error of await Promise.all(waits)) expect(error).toMatchObject({ reason: 'closed' });
  });

  it('makes none where it starts in time, or where the wait has ended', async () => {
    const stop = new AbortController();
    const stopped = rejectionOf(grid.peer(OTHER).waitForConnect({ signal: stop.signal }));
    stop.abort();
    expect(await stopped).toMatchObject({ code: 'CANCELLED', message: 'context canceled' });
    expect(clock.timers).toBe(0);
    const own = grid.peer(LOCAL).waitForConnect();
    const other = rejectionOf(grid.peer(OTHER).waitForConnect({ timeoutMs: 8_000 }));
    clock.advance(4_000);
    void grid.start();
    await own;
    clock.advance(4_000);
    expect((await other).message).toMatch(/within 8000 ms$/);
    expect(log.matching(/waitForConnect/)).toEqual([]);
  });

  it('reads it in the error of a time that is over', async () => {
    const late = rejectionOf(grid.peer(OTHER).waitForConnect({ timeoutMs: 1_000 }));
    await turn();
    clock.advance(1_000);
    expect(await late).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      reason: 'not-connected',
      peer: OTHER,
      message: `context deadline exceeded: no connection to ${OTHER} within 1000 ms: ${TEXT}`,
    });
  });
});
