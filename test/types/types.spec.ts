// What the compiler takes and what it refuses, and with which words. A line of refused/ that must not compile stands
// under a comment `// refused: ` with a part of its message; every other line must compile.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../project/process.js';
import { readText, ROOT } from '../project/sources.js';

const FOLDER = 'test/types';
const TSC = join(ROOT, 'node_modules/.bin/tsc');

interface Complaint {
  readonly file: string;
  readonly line: number;
  /** All lines of the message. */
  readonly message: string;
}

let complaints: Complaint[];

async function compile(...flags: string[]): Promise<Complaint[]> {
  const { stdout } = await run(TSC, ['-p', FOLDER, '--pretty', 'false', ...flags], { cwd: ROOT });
  return [...stdout.matchAll(/^(\S.*?)\((\d+),\d+\): (.*(?:\n .*)*)/gm)].map(([, file, line, message]) => {
    return { file: file!, line: Number(line), message: message! };
  });
}

beforeAll(async () => {
  complaints = await compile();
}, 60_000);

test('what fits compiles, and only refused/ is refused', () => {
  expect(complaints.filter(({ file }) => !file.startsWith(`${FOLDER}/refused/`))).toEqual([]);
});

test('what fits compiles for projects with exactOptionalPropertyTypes, too', async () => {
  // our own sources are not written for it: only their declarations reach such a project
  const strict = await compile('--exactOptionalPropertyTypes');
  expect(strict.filter(({ file }) => !/^lib\/|\/refused\//.test(file))).toEqual([]);
  expect(strict.filter(({ file }) => file.includes('/refused/')).length).toBeGreaterThan(0);
}, 60_000);

describe.each(readdirSync(join(ROOT, FOLDER, 'refused')))('refused/%s', (name) => {
  const file = `${FOLDER}/refused/${name}`;
  const lines = readText(file).split('\n');
  const marked = lines.flatMap((text, index) => {
    const [, message] = /^\s*\/\/ refused: (.+)$/.exec(text) ?? [];
    return message === undefined ? [] : [{ message, line: index + 2, code: lines[index + 1]!.trim() }];
  });

  test.each(marked)('$line: $code', ({ line, message }) => {
    const here = complaints.filter((complaint) => complaint.file === file && complaint.line === line);
    expect(here.map((complaint) => complaint.message).join('\n')).toContain(message);
  });

  test('nothing else', () => {
    const meant = new Set(marked.map(({ line }) => line));
    expect(complaints.filter((complaint) => complaint.file === file && !meant.has(complaint.line))).toEqual([]);
    expect(marked.length).toBeGreaterThan(3);
  });
});
