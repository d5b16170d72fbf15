import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { apiEntry, APIS } from './api-table.js';
import { CASE_NAMES } from './case-table.js';
import { readFlags, USAGE } from './flags.js';
import { NO_PEERS } from './peers.js';
import { plan } from './plan.js';

describe('the flags of the benchmark', () => {
  test('without any, every case runs at full size', () => {
    const flags = readFlags([]);
    expect(flags.only).toEqual(CASE_NAMES);
    expect(flags).toMatchObject({ rounds: 3, scale: 1, peers: false, json: undefined });
    expect(flags).toMatchObject({ payload: [512, 4096], outstanding: [1, 16, 64, 256] });
  });

  test('lists and numbers are read', () => {
    const args = '--only unary,long --payload 64,1048576 --outstanding 2 --rounds 1 --seconds .5 --warm-up 2';
    expect(readFlags(args.split(' '))).toMatchObject({
      only: ['unary', 'long'],
      payload: [64, 1_048_576],
      outstanding: [2],
      rounds: 1,
      seconds: 0.5,
      warmUpSeconds: 2,
      heapMb: 32,
      v8: [],
    });
    expect(readFlags(['--heap', '0']).heapMb).toBe(0);
    expect(readFlags(['--v8=--initial-old-space-size=256 --no-opt']).v8).toEqual([
      '--initial-old-space-size=256',
      '--no-opt',
    ]);
  });

  test('a smoke run is small, and flags beside it still count', () => {
    expect(readFlags(['--smoke'])).toMatchObject({ rounds: 1, payload: [512] });
    expect(readFlags(['--smoke']).scale).toBeLessThan(0.1);
    expect(readFlags(['--smoke', '--rounds', '2'])).toMatchObject({ rounds: 2 });
  });

  test.each([
    [['--only', 'unary,nonsense'], '--only nonsense: known are unary,'],
    [['--only', ''], '--only : known are'],
    [['--only', 'toString'], '--only toString: known are'],
    [['--only', 'unary,unary'], 'unary stands there twice'],
    [['--rounds', '0'], '--rounds 0: must be a whole number from 1'],
    [['--rounds', '1.5'], '--rounds 1.5: must be a whole number'],
    [['--payload', '512,big'], '--payload big: must be a whole number'],
    [['--payload', '99999999'], '--payload 99999999: must be a whole number from 1 to 16777216'],
    [['--outstanding', '-1'], "'--outstanding' argument is ambiguous"],
    [['--outstanding', '1,,2'], '--outstanding : must be a whole number'],
    [['--seconds', '0'], '--seconds 0: must be a number of seconds above 0'],
    [['--warm-up', '1e3'], '--warm-up 1e3: must be a number of seconds'],
    [['--heap', '32MB'], '--heap 32MB: must be a whole number from 0 to 1024'],
    [['--peers', 'some'], '--peers some: must be all'],
    [['--tls', '--peers', 'all'], '--tls: not with --peers'],
    [['--v8', 'fast'], "--v8 'fast': must be flags of node"],
    [['--v8='], "--v8 '': must be flags of node"],
    [['--json', ''], '--json: needs a path'],
    [['--cases', 'unary'], "Unknown option '--cases'"],
    [['unary'], "Unexpected argument 'unary'"],
  ])('%j is refused, and the error names what is wrong', (args, text) => {
    expect(() => readFlags(args)).toThrow(text);
  });
});

test('the command ends with 2 and says how it is used', () => {
  const main = join(import.meta.dirname, 'dist/main.js');
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, '--only', 'unray'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain('--only unray: known are unary,');
  expect(stderr).toContain('npm run bench --');
});

describe('the order of the runs', () => {
  test('rounds are interleaved: in each one every load, and there every way of calling in turn', () => {
    const flags = readFlags('--only unary --rounds 2 --payload 512 --outstanding 1,64'.split(' '));
    const runs = plan(flags, NO_PEERS).map(({ round, outstanding, api }) => `${round} ${outstanding} ${api}`);
    expect(runs.slice(0, 6)).toEqual([
      '1 1 raw',
      '1 1 nest',
      '1 1 ws-batch',
      '1 1 ws-batch-first',
      '1 1 nest-tcp',
      '1 64 raw',
    ]);
    expect(runs).toHaveLength(20);
    expect(runs[10]).toBe('2 1 raw');
  });

  test('cases with a size of their own keep it, and some run once', () => {
    const args = '--only stream10,memory --payload 4096 --outstanding 16 --rounds 3'.split(' ');
    const runs = plan(readFlags(args), NO_PEERS);
    expect(new Set(runs.map(({ payload }) => payload))).toEqual(new Set([512]));
    expect(runs.filter((run) => run.case === 'memory')).toHaveLength(1);
    expect(new Set(runs.filter((run) => run.case === 'stream10').map(({ outstanding }) => outstanding))).toEqual(
      new Set([1, 64]),
    );
  });

  test('what takes long is measured in the first round only', () => {
    const runs = plan(readFlags(['--only', 'idle', '--rounds', '2']), NO_PEERS);
    expect(runs.map(({ round, part }) => `${round} ${part}`)).toEqual([
      '1 256 streams',
      '1 100,000 streams',
      '1 1,000 peers',
      '2 256 streams',
    ]);
  });

  test('over TLS everything runs but what makes its sockets by hand', () => {
    const runs = plan(readFlags(['--tls', '--only', 'idle']), NO_PEERS).filter(({ round }) => round === 1);
    expect(runs.map(({ tls, part }) => `${tls} ${part}`)).toEqual(['true 256 streams', 'true 100,000 streams']);
  });

  test('a smoke run takes each case with one load', () => {
    const runs = plan(readFlags(['--smoke']), NO_PEERS);
    expect(new Set(runs.map((run) => run.case))).toEqual(new Set(CASE_NAMES));
    const loads = new Set(runs.map((run) => `${run.case} ${run.part} ${run.api}`));
    expect(loads.size).toBe(runs.length);
  });

  test('other transports run only where they are there', () => {
    const flags = readFlags(['--only', 'unary']);
    expect(plan(flags, NO_PEERS).some(({ api }) => apiEntry(api).peer)).toBe(false);
    const peers = { present: new Set(['rsocket'] as const), leftOut: [] };
    expect(new Set(plan(flags, peers).map(({ api }) => api).filter((api) => apiEntry(api).peer))).toEqual(
      new Set(['rsocket']),
    );
  });
});

test('docs/PERFORMANCE.md explains every flag, case and way of calling', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/PERFORMANCE.md'), 'utf8');
  const explained = new Set([...page.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => cell!.match(/[\w-]+/g) ?? []));
  const flags = [...USAGE.matchAll(/\[(--[\w-]+)/g)].map(([, flag]) => flag!).filter((flag) => flag !== '--smoke');
  for (const word of [...flags, ...CASE_NAMES, ...Object.keys(APIS)]) expect([...explained]).toContain(word);
  expect(page).toContain('npm run bench -- --smoke');
});
