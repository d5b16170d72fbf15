import { randomBytes } from 'node:crypto';
import { GridError } from '../../lib/errors/index.js';
import {
  acceptHandshake,
  dialHandshake,
  type Connection,
  type ConnectionIntervals,
  type ConnectionLimits,
  type ConnectionPorts,
  type FrameSocket,
} from '../../lib/connection/index.js';
import type { CallHandler, IncomingRequest } from '../../lib/mux/index.js';
import { silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { EXTENSIONS } from '../../lib/wire/index.js';

export const LIMITS: ConnectionLimits = {
  messageBytes: 16 * 1024 * 1024,
  frameBytes: 16 * 1024 * 1024 + 64 * 1024,
  frameMessages: 10_000,
  openStreams: 10_000,
  runningRequests: 20_000,
  queuedBytes: 32 * 1024 * 1024,
  heldBytes: 256 * 1024 * 1024,
  unreadBytes: 64 * 1024 * 1024,
  unreadMessages: 1_024,
  handshakeMs: 5_000,
  pingsPerSecond: 100,
  cancelsPerSecond: 10_000,
  metadataBytes: 8_192,
  errorTextBytes: 4_096,
};

export const INTERVALS: ConnectionIntervals = {
  pingMs: 10_000,
  writeTimeoutMs: 4_000,
  requestTimeoutMs: 60_000,
  streamPingMs: 15_000,
  streamSilenceMs: 60_000,
  blockedStreamMs: 30_000,
};

export const A = 'http://a:9000';
export const B = 'http://b:9000';

/** 60: echo. 62: never answers; `hung` has its calls. */
export function handlers(): { hung: IncomingRequest[]; find(id: number): CallHandler | undefined } {
  const hung: IncomingRequest[] = [];
  const table: Record<number, CallHandler> = {
    60: { onRequest: (call) => call.respond(call.payload), inCapacity: 0, outCapacity: 1 },
    62: { onRequest: (call) => hung.push(call), inCapacity: 0, outCapacity: 1 },
  };
  return { hung, find: (id) => table[id] };
}

/** What a test may say of its ports; limits and intervals are merged with the defaults. */
export type PortsInit = Partial<Omit<ConnectionPorts, 'limits' | 'intervals'>> & {
  limits?: Partial<ConnectionLimits>;
  intervals?: Partial<ConnectionIntervals>;
};

/** An event loop that has slept whenever it is asked. */
export function sleepsOften(): () => number {
  let sleptMs = 0;
  return () => ++sleptMs;
}

export function ports(init: PortsInit = {}): ConnectionPorts {
  return {
    clock: new ManualClock(),
    observer: silentObserver,
    handlers: handlers(),
    extensions: EXTENSIONS,
    crc: 'auto',
    localId: randomBytes(16),
    sleptMs: sleepsOften(),
    ...init,
    limits: { ...LIMITS, ...init.limits },
    intervals: { ...INTERVALS, ...init.intervals },
  };
}

/** A handshake of two ends that like each other. */
export async function connect(
  [dialerSocket, acceptorSocket]: readonly [FrameSocket, FrameSocket],
  dialerPorts: ConnectionPorts,
  acceptorPorts: ConnectionPorts,
): Promise<[Connection, Connection]> {
  return Promise.all([
    dialHandshake(dialerSocket, { local: A, remote: B, token: 'debug' }, dialerPorts),
    acceptHandshake(acceptorSocket, { local: B, admit: async () => ({ accepted: true }) }, acceptorPorts),
  ]);
}

/** A single request; the answer as bytes, the error as it came. */
export function request(
  connection: Connection,
  handler: number,
  payload?: Uint8Array,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    connection.mux.openRequest(
      { handler, subroute: undefined, payload, timeoutMs: undefined },
      // a decoded payload is a view of its frame
      { onResponse: (answer) => resolve(answer?.slice()), onError: reject },
    );
  });
}

/** The GridError that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<GridError> {
  try {
    await promise;
  } catch (error) {
    if (GridError.is(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
