import { parseArgs } from 'node:util';
import { CASE_NAMES, isCaseName, type CaseName } from './case-table.js';

export interface Flags {
  readonly cases: readonly CaseName[];
  readonly outstanding: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Where the CPU profile of each process goes. */
  readonly profile: string | undefined;
}

export const USAGE = `npm run bench -- [--seconds 3] [--warm-up 1] [--rounds 3] [--outstanding 1,16,64,256] [--cases ${CASE_NAMES.join(',')}] [--smoke] [--profile DIR]`;

const FULL = { seconds: '3', 'warm-up': '1', rounds: '3', outstanding: '1,16,64,256' };
/** Long enough to see that every case works, too short to mean anything. */
const SMOKE = { seconds: '0.3', 'warm-up': '0.2', rounds: '1', outstanding: '1,64' };

export function readFlags(args: string[]): Flags {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      rounds: { type: 'string' },
      outstanding: { type: 'string' },
      cases: { type: 'string', default: CASE_NAMES.join(',') },
      profile: { type: 'string' },
      smoke: { type: 'boolean', default: false },
    },
  });
  const given = { ...(values.smoke ? SMOKE : FULL), ...values };
  return {
    cases: given.cases.split(',').map(caseName),
    outstanding: given.outstanding.split(',').map((word) => positive('outstanding', word, true)),
    rounds: positive('rounds', given.rounds, true),
    seconds: positive('seconds', given.seconds),
    warmUpSeconds: positive('warm-up', given['warm-up']),
    profile: given.profile,
  };
}

function positive(flag: string, word: string, whole = false): number {
  const number = Number(word);
  if (number > 0 && (!whole || Number.isInteger(number))) return number;
  throw new Error(`--${flag} ${word}: must be a ${whole ? 'whole ' : ''}number above 0`);
}

function caseName(word: string): CaseName {
  if (isCaseName(word)) return word;
  throw new Error(`--cases ${word}: known are ${CASE_NAMES.join(', ')}`);
}
