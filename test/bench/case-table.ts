import type { ApiName } from './api-table.js';
import type { BenchCase } from './case.js';

interface CaseEntry {
  /** What is measured. */
  readonly title: string;
  /** Who is measured, in each round in this order. */
  readonly apis: readonly ApiName[];
  /** What runs in processes of its own. Default: the case as a whole. */
  readonly parts?: readonly string[];
  /** In the first round only, all of it or these parts: what does not wobble, or takes long. */
  readonly once?: true | readonly string[];
  /** Parts that make their sockets by hand, without TLS. */
  readonly plain?: readonly string[];
  /** Bytes of a payload, where not `--payload` says so. */
  readonly payload?: number;
  /** Calls that are out, where not `--outstanding` says so. */
  readonly outstanding?: readonly number[];
  readonly load: (part: string) => Promise<BenchCase>;
}

/** Every case, in the order in which they run and are reported. */
export const CASES = {
  unary: {
    title: 'one call, one answer: echo of a payload',
    apis: [
      'raw',
      'nest',
      'ws-batch',
      'ws-batch-first',
      'nest-tcp',
      'nest-grpc',
      'nest-nats',
      'nest-redis',
      'rsocket',
      'socketio',
      'moleculer',
    ],
    load: async () => (await import('./cases/unary.js')).unary,
  },
  stream10: {
    title: 'streams of 10 messages of 512 bytes; the grid from an Observable, then from an async generator',
    apis: ['raw', 'nest', 'ws-batch', 'nest-tcp', 'nest-grpc', 'nest-nats', 'nest-redis', 'rsocket', 'socketio'],
    payload: 512,
    outstanding: [1, 64],
    load: async () => (await import('./cases/stream10.js')).stream10,
  },
  long: {
    title: 'one stream of many messages of 512 bytes, capacity 64',
    apis: ['raw', 'nest', 'ws-batch'],
    payload: 512,
    outstanding: [1],
    load: async () => (await import('./cases/long.js')).long,
  },
  frozen: {
    title:
      'a consumer that takes 100 messages and stops: how far ahead of it the source gets; capacity 64, outBuffer 1,024',
    apis: ['raw', 'nest'],
    payload: 512,
    outstanding: [1],
    once: true,
    load: async () => (await import('./cases/frozen.js')).frozen,
  },
  idle: {
    title:
      'calls beside streams and peers on which nothing happens, against calls without them; memory of one of those',
    apis: ['raw'],
    parts: ['256 streams', '100,000 streams', '1,000 peers'],
    once: ['100,000 streams', '1,000 peers'],
    plain: ['1,000 peers'],
    payload: 512,
    outstanding: [64],
    load: async (part) => {
      if (part === '1,000 peers') return (await import('./cases/idle-peers.js')).idlePeers;
      const { idleFew, idleMany } = await import('./cases/idle.js');
      return part === '256 streams' ? idleFew : idleMany;
    },
  },
  stall: {
    title: 'calls beside a stream whose consumer has stopped, against calls without it',
    apis: ['raw'],
    payload: 512,
    outstanding: [64],
    load: async () => (await import('./cases/stall.js')).stall,
  },
  big: {
    title: 'small calls beside one of 1 MiB that is always under way, against small calls alone',
    apis: ['raw', 'nest'],
    payload: 512,
    outstanding: [16],
    load: async () => (await import('./cases/big.js')).big,
  },
  memory: {
    title: '1,000,000 calls with a deadline of an hour and a signal: what stays behind',
    apis: ['raw'],
    payload: 512,
    outstanding: [256],
    once: true,
    load: async () => (await import('./cases/memory.js')).memory,
  },
  objects: {
    title: 'objects there and back: an order of 5 lines (560 bytes of JSON), a page of 20 such orders',
    apis: ['nest', 'nest-tcp'],
    payload: 560,
    outstanding: [1, 16, 64],
    load: async () => (await import('./cases/objects.js')).objects,
  },
  enhancers: {
    title: 'what a guard, an interceptor and a ValidationPipe cost a call',
    apis: ['nest', 'nest-tcp'],
    payload: 64,
    outstanding: [64],
    load: async () => (await import('./cases/enhancers.js')).enhancers,
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
