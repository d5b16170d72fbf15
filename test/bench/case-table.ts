import type { BenchCase } from './case.js';

interface CaseEntry {
  /** What travels and through which door. */
  readonly title: string;
  /** Loaded only in the processes of this case, so that no case carries the memory of another. */
  readonly load: () => Promise<BenchCase>;
}

/** Every case of the benchmark, in the order of the report. The ratios are against the last one. */
export const CASES = {
  'grid-request': {
    title: 'GridPeer.request, bytes codec, without Nest',
    load: async () => (await import('./cases/grid-request.js')).gridRequest,
  },
  'grid-client': {
    title: 'GridClient.send to @MessagePattern, MessagePack',
    load: async () => (await import('./cases/grid-client.js')).gridClient,
  },
  'nest-tcp': {
    title: "Nest's TCP transport, base64 in JSON",
    load: async () => (await import('./cases/nest-tcp.js')).nestTcp,
  },
} as const satisfies Record<string, CaseEntry>;

export type CaseName = keyof typeof CASES;

export const CASE_NAMES = Object.keys(CASES) as CaseName[];
export const YARDSTICK: CaseName = 'nest-tcp';

export function isCaseName(word: string): word is CaseName {
  return word in CASES;
}
