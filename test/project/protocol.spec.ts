import { describe, expect, test } from '@jest/globals';
import { MAX_HANDLER_ID, PATTERN_HANDLER_ID } from '../../lib/calls/pattern.js';
import { failureOfText, refusalOfText, TEXT } from '../../lib/errors/index.js';
import { INTERVALS } from '../../lib/manager/limits.js';
import { MESSAGE_OVERHEAD } from '../../lib/mux/payload-cap.js';
import {
  CloseCode,
  EXTENSIONS,
  Flag,
  LEAST_MAX,
  METADATA_BYTES,
  MOST_EXT,
  Op,
  SUBROUTE_BYTES,
} from '../../lib/wire/index.js';
import { plain, tableOf } from './markdown.js';
import { readText, sourcesOf } from './sources.js';

const PAGE = 'docs/PROTOCOL.md';
const page = readText(PAGE);

function numbersOf(header: string): Record<string, number> {
  return Object.fromEntries(tableOf(PAGE, header).map(([number, name]) => [name, Number(number)]));
}

describe('the numbers of docs/PROTOCOL.md are those of lib', () => {
  test('ops', () => expect(numbersOf('| op | name | sent by | payload |')).toEqual(Op));

  test('flags', () => expect(numbersOf('| bit | flag | meaning |')).toEqual(Flag));

  test('close codes', () => expect(numbersOf('| close code | name | means |')).toEqual(CloseCode));

  test('extensions', () => {
    const rows = tableOf(PAGE, '| extension | needs | here | what it adds |');
    const here = rows.filter(([, , state]) => state === 'yes').map(([name]) => plain(name!));
    expect(here).toEqual(EXTENSIONS);
  });

  test('handler IDs', () => {
    const ids = tableOf(PAGE, '| handler ID | for |').map(([id]) => id);
    expect(ids).toEqual(['0', `1…${MAX_HANDLER_ID}`, String(MAX_HANDLER_ID + 1), String(PATTERN_HANDLER_ID)]);
  });

  test('intervals', () => {
    const rows = tableOf(PAGE, '| what | every | given up after |');
    const numbers = rows.map((row) => row.slice(1).map((cell) => Number.parseInt(cell.replaceAll(',', ''), 10)));
    const { pingMs, streamPingMs, streamSilenceMs, writeTimeoutMs } = INTERVALS;
    expect(numbers).toEqual([
      [pingMs, 2 * pingMs],
      [streamPingMs, 2 * streamPingMs],
      [NaN, streamSilenceMs],
      [NaN, writeTimeoutMs],
    ]);
  });

  test('numbers in sentences', () => {
    const inWords = (number: number): string => number.toLocaleString('en-US');
    const sentences = [
      `at most ${MOST_EXT} strings`,
      `at least ${inWords(LEAST_MAX)}`,
      `at most ${inWords(METADATA_BYTES)} bytes`,
      `${inWords(INTERVALS.requestTimeoutMs)} ms where the caller gave none`,
      `subroute id (${SUBROUTE_BYTES} bytes`,
      `gives up after ${INTERVALS.dialTimeoutMs / 1000} s`,
      `starts ${INTERVALS.redialMs / 1000} to ${(2 * INTERVALS.redialMs) / 1000} s`,
      `waits ${INTERVALS.replacedMs / 1000} s before it dials again`,
      `${inWords(2 * INTERVALS.streamPingMs)} to ${inWords(3 * INTERVALS.streamPingMs)} ms without a sign of life`,
      `its metadata and ${MESSAGE_OVERHEAD} bytes, without a subroute ${MESSAGE_OVERHEAD - SUBROUTE_BYTES},`,
    ];
    const flat = page.replaceAll(/\s+/g, ' ');
    for (const sentence of sentences) expect(flat).toContain(sentence);
  });

  test('texts and the codes that they stand for', () => {
    const rows = tableOf(PAGE, '| text | as | code at the caller |');
    const codes = rows.map(([cell, as]) => {
      const text = plain(cell!).replace('…', '');
      return (as === 'refusal' ? refusalOfText(text) : failureOfText(text)).code;
    });
    expect(codes).toEqual(rows.map(([, , code]) => code));
    const texts = rows.map(([cell]) => plain(cell!).replace('…', ''));
    expect(texts).toEqual(expect.arrayContaining(Object.values(TEXT)));
  });
});

describe('the numbers stand in one place', () => {
  const NUMBER_FILES = ['lib/wire/op.ts', 'lib/wire/flag.ts', 'lib/wire/close-code.ts'];

  test('no other file gives a name to an op or a flag by its number', () => {
    const literal = /\b(?:op|flags)\s*(?:[=!]==|&|\||:)\s*(?:0x[0-9a-f]+|[1-9]\d*)\b/;
    const wrong = sourcesOf('lib').filter((file) => !NUMBER_FILES.includes(file.path) && literal.test(file.text));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test('the sections that the sources point to exist', () => {
    const sections = new Set([...page.matchAll(/^## (\d+)\./gm)].map(([, number]) => number));
    const cited = sourcesOf('lib').flatMap((file) =>
      [...file.text.matchAll(/\bspec §(\d+)/g)].map(([, number]) => number),
    );
    expect(cited.length).toBeGreaterThan(10);
    expect(cited.filter((number) => !sections.has(number))).toEqual([]);
  });
});
