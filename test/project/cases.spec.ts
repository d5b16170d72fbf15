import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { run } from './process.js';
import { ROOT } from './sources.js';

/** The script behind `npm run cases`, on tables and reports of the test's own. */

const folder = mkdtempSync(join(tmpdir(), 'cases-spec-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Case = string | { text: string; instead: string };
type Outcome = [file: string, fullName: string, status: 'passed' | 'failed' | 'pending'];

async function print(
  cases: Record<string, Case>,
  outcomes: Outcome[],
): Promise<{ code: number | null; lines: string[] }> {
  const table = join(folder, 'table.json');
  const report = join(folder, 'report.json');
  writeFileSync(table, JSON.stringify({ cases }));
  const testResults = outcomes.map(([file, fullName, status]) => {
    return { name: join(ROOT, 'test', file), assertionResults: [{ fullName, status }] };
  });
  writeFileSync(report, JSON.stringify({ testResults }));
  const { code, stdout, stderr } = await run('node', ['test/cases.js', '--table', table, report], { cwd: ROOT });
  expect(stderr).toBe('');
  return { code, lines: stdout.trimEnd().split('\n') };
}

it('tells each case, its files and how many tests passed', async () => {
  const { code, lines } = await print({ B01: 'it comes back', P02: 'small error' }, [
    ['mux/a.spec.ts', 'what hung B01 after a cut', 'passed'],
    ['mux/a.spec.ts', 'B01 P02 both', 'passed'],
    ['calls/b.spec.ts', 'the end (P02)', 'passed'],
    ['calls/b.spec.ts', 'of no case', 'failed'],
  ]);
  expect(code).toBe(0);
  expect(lines).toEqual([
    'B01  2 passed   it comes back',
    '                mux/a.spec.ts',
    'P02  2 passed   small error',
    '                mux/a.spec.ts, calls/b.spec.ts',
    '',
    '2 of 2 cases hold',
  ]);
});

it('fails where a case has no test, where its test was not run, and where one of its tests failed', async () => {
  const { code, lines } = await print({ B01: 'one', B02: 'two', B03: 'three' }, [
    ['a.spec.ts', 'B02 not run', 'pending'],
    ['a.spec.ts', 'B03 good', 'passed'],
    ['a.spec.ts', 'B03 bad', 'failed'],
  ]);
  expect(code).toBe(1);
  expect(lines).toEqual([
    'B01  MISSING    one',
    'B02  MISSING    two',
    'B03  1 FAILED   three',
    '                a.spec.ts',
    '',
    '0 of 3 cases hold, 1 failed, 2 without a test',
  ]);
});

it('takes a reason in place of a test, and prints it beside one', async () => {
  const instead = 'one thread, so no race';
  const { code, lines } = await print({ B32: { text: 'a race', instead }, B33: { text: 'another', instead } }, [
    ['a.spec.ts', 'B33 what takes its place', 'passed'],
  ]);
  expect(code).toBe(0);
  expect(lines).toEqual([
    'B32  no test    a race',
    '                here: one thread, so no race',
    'B33  1 passed   another',
    '                here: one thread, so no race',
    '                a.spec.ts',
    '',
    '1 of 2 cases hold, 1 cannot happen here',
  ]);
});

it('fails where a test names a case that is not in the table', async () => {
  const { code, lines } = await print({ B01: 'one' }, [['a.spec.ts', 'B01 B99', 'passed']]);
  expect(code).toBe(1);
  expect(lines.at(-3)).toBe('no such case: B99 in a.spec.ts');
});

it('has all hundred cases in its table, each with a text', () => {
  const text = readFileSync(join(ROOT, 'test/failure-cases.json'), 'utf8');
  const { cases } = JSON.parse(text) as { cases: Record<string, Case> };
  const from = (letter: string, numbers: number[], digits = 2): string[] =>
    numbers.map((number) => letter + String(number).padStart(digits, '0'));
  const range = (first: number, last: number): number[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const parity = [...range(1, 7), ...range(10, 26), ...range(30, 32), ...range(40, 43)];
  expect(Object.keys(cases)).toEqual([...from('B', range(1, 52)), ...from('H', range(1, 17), 1), ...from('P', parity)]);
  for (const value of Object.values(cases)) {
    const texts = typeof value === 'string' ? [value] : [value.text, value.instead];
    for (const one of texts) expect(one.length).toBeGreaterThan(5);
  }
});
