import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { freePorts } from '../ports.js';
import { run, type Finished } from '../project/process.js';
import { ROOT } from '../project/sources.js';
// the specs of the sample about testing are run as its readers would: by this project's jest
import '../../sample/06-testing/src/app.module.spec.js';
import '../../sample/06-testing/src/shop.spec.js';
import '../../sample/06-testing/src/stock.controller.spec.js';

const SAMPLES = readdirSync(join(ROOT, 'sample')).filter((name) => /^\d\d-/.test(name));
let port: number;

/** The samples take neighbouring ports, from `PORT` on. */
beforeEach(async () => {
  [port] = (await freePorts(2)) as [number, number];
});

/** Runs a sample as it was built, to its own end; gives its lines with the ports of its README. */
async function linesOf(sample: string, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const main = join(ROOT, 'sample', sample, 'dist/main.js');
  const ran = await run('node', [main, '--once'], { env: { PORT: String(port), ...env } });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return withReadmePorts(ran);
}

function withReadmePorts({ stdout }: Finished): string[] {
  const readme = stdout.replaceAll(`:${port + 1}`, ':9002').replaceAll(`:${port}`, ':9001');
  return readme.trimEnd().split('\n');
}

test('01-first-call: two processes call each other', async () => {
  const lines = await linesOf('01-first-call');
  for (const [here, there] of [
    [9001, 9002],
    [9002, 9001],
  ] as const) {
    const [local, other] = [`http://127.0.0.1:${here}`, `http://127.0.0.1:${there}`];
    expect(lines.filter((line) => line.startsWith(`${local}: `))).toEqual([
      `${local}: ${other} has 200 free, as it told ${local}`,
      ...['a', 'b', 'c'].map((name) => `${local}: ${other} has photos/${name}.jpg`),
    ]);
  }
});

test('02-streams: what is left stops, what is imported tells its progress, in a browser too', async () => {
  const lines = await linesOf('02-streams');
  expect(lines.filter((line) => line.includes('tick'))).toEqual([1, 2, 3].map((tick) => `front: tick ${tick}`));
  expect(lines).toContain('worker: the clock was stopped');
  expect(lines.filter((line) => line.includes('are imported'))).toEqual(
    [250, 500, 750, 1_000].map((count) => `front: ${count} lines are imported`),
  );
  expect(lines).toContain('worker: small.csv ended after 1000 lines');
  const events = lines.filter((line) => line.startsWith('browser: data: '));
  const progress = events.map((line) => JSON.parse(line.replace('browser: data: ', '')) as { lines: number });
  expect(progress.map((event) => event.lines)).toEqual([250, 500, 750, 1_000]);
  const imports = lines.flatMap((line) => /^worker: big.csv ended after (\d+) lines$/.exec(line)?.[1] ?? []);
  expect(imports[0]).toBe('1000');
  // the page was closed in the middle of 100 million lines
  expect(imports).toHaveLength(2);
});

test('03-from-tcp: the same over both transports', async () => {
  const [over, ...overGrid] = await linesOf('03-from-tcp', { TRANSPORT: 'grid' });
  expect(over).toBe('over grid');
  expect(overGrid).toEqual([
    'math: the pupil is here',
    '1 + 2 + 3 = 6',
    'squares: [ 1, 4, 9, 16 ]',
    "1 / 0: { status: 400, message: 'division by zero' }",
  ]);
  expect(await linesOf('03-from-tcp', { TRANSPORT: 'tcp' })).toEqual(['over tcp', ...overGrid]);
});

test('04-typed-contracts: an order, its states, and one that is refused with the path of each fault', async () => {
  const lines = await linesOf('04-typed-contracts');
  const [refused] = lines.splice(4, 1);
  expect(lines).toEqual([
    'order 1: 3 pieces',
    ...['packed', 'sent', 'delivered'].map((state) => `order 1: ${state}`),
    '1 order in the books',
  ]);
  expect(refused).toMatch(/^INVALID_ARGUMENT: .*customer: .*items\.0\.count: /);
});

test('05-lock-grid: a lock does not wait behind bulk of the other grid', async () => {
  const lines = await linesOf('05-lock-grid');
  const behind = lines.map((line) =>
    /^over the (\w+) grid: granted after [\d.]+ ms, behind (\d+) of 24 blocks$/.exec(line)!,
  );
  expect(behind.map((match) => match[1])).toEqual(['lock', 'bulk']);
  const [lock, bulk] = behind.map((match) => Number(match[2])) as [number, number];
  expect(bulk).toBe(24);
  expect(lock).toBeLessThan(12);
});

test('06-testing: the app that its specs test', async () => {
  expect(await linesOf('06-testing')).toEqual(['2 lamp from http://127.0.0.1:9002, 1 left', 'no host has 2 lamp']);
});

describe('npm run sample', () => {
  const launch = (...args: string[]): Promise<Finished> => {
    const PATH = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter);
    return run('node', ['sample/run.js', ...args], { cwd: ROOT, env: { PATH, PORT: String(port) } });
  };

  test('builds and runs the one that is named', async () => {
    const ran = await launch('06-testing', '--once');
    expect(ran).toMatchObject({ code: 0 });
    expect(withReadmePorts(ran)).toContain('no host has 2 lamp');
  });

  test('tells the names', async () => {
    const ran = await launch('07-nothing');
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    for (const name of SAMPLES) expect(ran.stderr).toContain(name);
  });
});

describe('the README of each sample', () => {
  test.each(SAMPLES)('%s: its command and its files are there', (name) => {
    const folder = join(ROOT, 'sample', name);
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(readme).toContain(`npm run sample -- ${name} `);
    expect(readme).toContain('What to see');
    for (const [, file] of readme.matchAll(/`([\w.]+\.ts)`/g)) {
      expect([file, existsSync(join(folder, 'src', file!))]).toEqual([file, true]);
    }
  });
});
