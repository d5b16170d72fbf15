import type { Api } from './api.js';
import type { BrokerName } from './broker.js';

interface ApiEntry {
  /** What travels and through which door. */
  readonly title: string;
  /** A transport of others, installed apart. */
  readonly peer?: true;
  /** The program that it needs beside the two processes. */
  readonly broker?: BrokerName;
  /** Loaded only in the processes of its runs, so that none carries the memory of another. */
  readonly load: () => Promise<Api>;
}

/** Every way of calling, in the order of the report. */
export const APIS = {
  raw: {
    title: 'GridPeer.request and stream, codec bytes(), CRC on, without Nest',
    load: async () => (await import('./apis/raw.js')).raw,
  },
  nest: {
    title: 'ClientProxy.send to @MessagePattern, MessagePack, CRC on',
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
  'nest-grpc': peer('nest-grpc', "Nest's gRPC transport, bytes in protobuf"),
  'nest-nats': peer('nest-nats', "Nest's NATS transport, base64 in JSON, one broker", 'nats-server'),
  'nest-redis': peer('nest-redis', "Nest's Redis transport, base64 in JSON, one broker", 'redis-server'),
  rsocket: peer('rsocket', 'rsocket-js over TCP, bytes'),
  socketio: peer('socketio', 'socket.io with acknowledgements, WebSocket only, bytes'),
  moleculer: peer('moleculer', 'moleculer over its TCP transporter, base64 in JSON'),
} as const satisfies Record<string, ApiEntry>;

export type ApiName = keyof typeof APIS;

function peer(name: string, title: string, broker?: BrokerName) {
  // not compiled: what it imports is there only where it was installed
  const url = new URL(`../peers/${name}.js`, import.meta.url).href;
  const load = async (): Promise<Api> => ((await import(url)) as { api: Api }).api;
  return { title, peer: true, load, ...(broker && { broker }) } as const satisfies ApiEntry;
}

export function apiEntry(name: ApiName): ApiEntry {
  return APIS[name];
}
