// A function of `tls` or `listen.tls` that gives nothing holds up nobody for longer than 30 s.
import { afterEach, expect, it } from '@jest/globals';
import { GridManager, type GridOptions } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { freeHosts } from '../ports.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { LogBook } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';

const ANSWER_MS = 30_000;

let grid: GridManager;
let clock: ManualClock;
let book: LogBook;

afterEach(() => grid.close());

/** A host that dials another one, which is away. */
async function dialer(options: Partial<GridOptions>): Promise<GridManager> {
  const hosts = (await freeHosts(2)).map((host) => host.replace('http:', 'https:'));
  const local = localDials(hosts[0]!, hosts[1]!) ? hosts[0] : hosts[1];
  clock = new ManualClock();
  book = new LogBook();
  grid = new GridManager({ local, hosts, auth: 'none', clock, logger: book, ...options });
  book.lines.length = 0;
  return grid;
}

/** A function that gives nothing as often as that, and counts how often it is asked. */
function silent(times: number): { asked: number; tls: () => Promise<object> } {
  const source = {
    asked: 0,
    tls: (): Promise<object> => (++source.asked <= times ? new Promise(() => {}) : Promise.resolve({})),
  };
  return source;
}

it('reloadTls() rejects, what was there before stays, and the next reload comes all the same', async () => {
  const source = silent(1);
  await dialer({ tls: source.tls });
  const first = grid.reloadTls();
  const second = grid.reloadTls();
  await until(() => source.asked === 1, 'asked');
  let over = false;
  first.catch(() => (over = true));
  clock.advance(ANSWER_MS - 1);
  await turn();
  expect(over).toBe(false);
  clock.advance(1);
  const text = `tls() has given nothing within ${ANSWER_MS} ms`;
  expect(await rejectionOf(first)).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: text });
  await second;
  expect(source.asked).toBe(2);
  expect(book.lines).toEqual([
    `TLS is not reloaded, what was there before stays: ${text}`,
    'TLS is reloaded: connections from now on use it',
  ]);
  expect(clock.timers).toBe(0);
});

it('dials fail, and ask again once its time is over', async () => {
  const source = silent(1);
  await dialer({ tls: source.tls });
  void grid.start();
  await until(() => source.asked === 1, 'asked');
  const askedAt = clock.now();
  await until(() => (clock.advance(500), source.asked === 2), 'asked again');
  expect(clock.now() - askedAt).toBeGreaterThanOrEqual(ANSWER_MS);
  expect(book.lines[0]).toContain('no answer within 2000 ms');
});

it('listen() rejects, and may be called again', async () => {
  const source = silent(1);
  await dialer({ listen: { tls: source.tls } });
  const listening = grid.listen();
  clock.advance(ANSWER_MS);
  expect(await rejectionOf(listening)).toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    message: expect.stringMatching(/^listen\.tls\(\) has given nothing/),
  });
  // it is asked, and its answer is looked at
  expect(await rejectionOf(grid.listen())).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

it.each<[string, () => Promise<unknown>]>([
  ['listen()', () => grid.listen()],
  ['reloadTls()', () => grid.reloadTls()],
])('close() does not wait for %s, which rejects', async (_, act) => {
  const source = silent(Infinity);
  await dialer({ tls: source.tls, listen: { tls: source.tls } });
  const acting = rejectionOf(act());
  await until(() => source.asked === 1, 'asked');
  await grid.close();
  expect(await acting).toMatchObject({ code: 'FAILED_PRECONDITION', message: 'the grid is closed' });
  expect(clock.timers).toBe(0);
});

it('behind close() nobody is asked: reloadTls() rejects', async () => {
  let asked = 0;
  await dialer({ tls: () => (asked++, {}) });
  await grid.close();
  const refusal = { code: 'FAILED_PRECONDITION', message: 'the grid is closed', reason: 'closed' };
  expect(await rejectionOf(grid.reloadTls())).toMatchObject(refusal);
  expect(asked).toBe(0);
});
