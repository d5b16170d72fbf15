import { parseArgs } from 'node:util';
import { CASE_NAMES, isCaseName, type CaseName } from './case-table.js';

export interface Flags {
  readonly only: readonly CaseName[];
  /** Bytes of a payload, where the case has no size of its own. */
  readonly payload: readonly number[];
  /** Calls that are out at any time, where the case has no number of its own. */
  readonly outstanding: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Share of the full counts of calls, streams and peers. */
  readonly scale: number;
  /** Other transports are measured too. */
  readonly peers: boolean;
  /** Everything over TLS. */
  readonly tls: boolean;
  /** Where each measurement goes as a line of JSON. */
  readonly json: string | undefined;
  /** Where the tables go as Markdown. */
  readonly markdown: string | undefined;
  /** Where the CPU profile of each process goes. */
  readonly profile: string | undefined;
  /** Live objects that each process holds beside what it is measured for, in megabytes. */
  readonly heapMb: number;
  /** Flags of V8 for every process that is measured. */
  readonly v8: readonly string[];
}

export const USAGE = `npm run bench -- [--only ${CASE_NAMES.join(',')}] [--payload 512,4096] [--outstanding 1,16,64,256]
  [--rounds 3] [--seconds 2] [--warm-up 3] [--heap 32] [--tls] [--peers all] [--json FILE] [--markdown FILE]
  [--profile DIR] [--v8=FLAGS] [--smoke]`;

const FULL = { seconds: '2', 'warm-up': '3', rounds: '3', outstanding: '1,16,64,256', payload: '512,4096', scale: 1 };
/** Long enough to see that every case works, too short to mean anything. */
const SMOKE = { seconds: '0.15', 'warm-up': '0.05', rounds: '1', outstanding: '64', payload: '512', scale: 0.02 };

/** @throws Error that names the flag and what it takes. */
export function readFlags(args: string[]): Flags {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: CASE_NAMES.join(',') },
      payload: { type: 'string' },
      outstanding: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      heap: { type: 'string', default: '32' },
      tls: { type: 'boolean', default: false },
      peers: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      profile: { type: 'string' },
      v8: { type: 'string' },
      smoke: { type: 'boolean', default: false },
    },
  });
  const given = { ...(values.smoke ? SMOKE : FULL), ...values };
  if (given.peers !== undefined && given.peers !== 'all') throw new Error(`--peers ${given.peers}: must be all`);
  if (given.tls && given.peers !== undefined) throw new Error('--tls: not with --peers, which are measured without it');
  return {
    only: words('only', given.only).map(caseName),
    payload: words('payload', given.payload).map((word) => whole('payload', word, 16 * 1024 * 1024)),
    outstanding: words('outstanding', given.outstanding).map((word) => whole('outstanding', word, 10_000)),
    rounds: whole('rounds', given.rounds, 1_000),
    seconds: seconds('seconds', given.seconds),
    warmUpSeconds: seconds('warm-up', given['warm-up']),
    scale: given.scale,
    tls: given.tls,
    peers: given.peers === 'all',
    json: file('json', given.json),
    markdown: file('markdown', given.markdown),
    profile: file('profile', given.profile),
    heapMb: whole('heap', given.heap, 1_024, 0),
    v8: given.v8 === undefined ? [] : given.v8.split(' ').map(v8Flag),
  };
}

/** The words of a list, each once. */
function words(flag: string, list: string): string[] {
  const words = list.split(',').map((word) => word.trim());
  const twice = words.find((word, index) => words.indexOf(word) !== index);
  if (twice !== undefined) throw new Error(`--${flag} ${list}: ${twice} stands there twice`);
  return words;
}

function whole(flag: string, word: string, most: number, least = 1): number {
  const number = /^\d+$/.test(word) ? Number(word) : -1;
  if (number >= least && number <= most) return number;
  throw new Error(`--${flag} ${word}: must be a whole number from ${least} to ${most}`);
}

function seconds(flag: string, word: string): number {
  const number = /^\d*\.?\d+$/.test(word) ? Number(word) : 0;
  if (number > 0 && number <= 3_600) return number;
  throw new Error(`--${flag} ${word}: must be a number of seconds above 0, at most 3600`);
}

function caseName(word: string): CaseName {
  if (isCaseName(word)) return word;
  throw new Error(`--only ${word}: known are ${CASE_NAMES.join(', ')}`);
}

function v8Flag(word: string): string {
  if (/^--[a-z]/.test(word)) return word;
  throw new Error(`--v8 '${word}': must be flags of node, like --v8=--initial-old-space-size=256`);
}

function file(flag: string, path: string | undefined): string | undefined {
  if (path === '') throw new Error(`--${flag}: needs a path`);
  return path;
}
