import type { Api } from './api.js';

interface ApiEntry {
  /** What travels and through which door. */
  readonly title: string;
  /** Loaded only in the processes of its runs, so that none carries the memory of another. */
  readonly load: () => Promise<Api>;
}

/** Every way of calling, in the order of the report. */
export const APIS = {
  raw: {
    title: 'GridPeer.request and stream, codec bytes(), without Nest',
    load: async () => (await import('./apis/raw.js')).raw,
  },
  nest: {
    title: 'ClientProxy.send to @MessagePattern, MessagePack',
    load: async () => (await import('./apis/nest.js')).nest,
  },
  'ws-batch': {
    title: 'yard-stick: 9-byte header over ws, frames of at most 50 messages or 32 KB, one flush per turn',
    load: async () => (await import('./apis/ws-batch.js')).wsBatch,
  },
  'ws-batch-first': {
    title: 'yard-stick: the same, but the first message of a turn leaves at once',
    load: async () => (await import('./apis/ws-batch.js')).wsBatchFirst,
  },
  'nest-tcp': {
    title: "yard-stick: Nest's TCP transport, base64 in JSON",
    load: async () => (await import('./apis/nest-tcp.js')).nestTcp,
  },
} as const satisfies Record<string, ApiEntry>;

export type ApiName = keyof typeof APIS;
