import type { ApiName } from './api-table.js';
import type { BenchCase } from './case.js';

interface CaseEntry {
  /** What is measured. */
  readonly title: string;
  /** Who is measured, in each round in this order. */
  readonly apis: readonly ApiName[];
  /** Bytes of a payload, where not `--payload` says so. */
  readonly payload?: number;
  /** Calls that are out, where not `--outstanding` says so. */
  readonly outstanding?: readonly number[];
  readonly load: () => Promise<BenchCase>;
}

/** Every case, in the order in which they run and are reported. */
export const CASES = {
  unary: {
    title: 'one call, one answer: echo of a payload',
    apis: ['raw', 'nest', 'ws-batch', 'ws-batch-first', 'nest-tcp'],
    load: async () => (await import('./cases/unary.js')).unary,
  },
  stream10: {
    title: 'streams of 10 messages of 512 bytes',
    apis: ['raw', 'nest', 'ws-batch', 'nest-tcp'],
    payload: 512,
    outstanding: [1, 64],
    load: async () => (await import('./cases/stream10.js')).stream10,
  },
} as const satisfies Record<string, CaseEntry>;

export type CaseName = keyof typeof CASES;

export const CASE_NAMES = Object.keys(CASES) as CaseName[];

export function isCaseName(word: string): word is CaseName {
  return Object.hasOwn(CASES, word);
}

export function caseEntry(name: CaseName): CaseEntry {
  return CASES[name];
}
