// "notSent is true iff the handler certainly never ran": calls over real sockets that break at random bytes.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { wsSocket, type Connection } from '../../lib/connection/index.js';
import { GridError } from '../../lib/errors/index.js';
import type { CallHandler, CallerStream, Outbound } from '../../lib/mux/index.js';
import { TcpFaultProxy } from '../../lib/testing/tcp-fault-proxy.js';
import { systemClock } from '../../lib/time/index.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { connect, LIMITS, ports } from './grid-end.js';

const CALLS = volume(10_000, 100_000);
const CALLS_PER_LINK = 50;
const HANG_MS = 60_000;

const KINDS = ['request', 'many', 'stream', 'cancelled', 'short'] as const;

/** What is known of one call, at both ends. */
interface CallRecord {
  readonly kind: (typeof KINDS)[number];
  ran: number;
  readonly outcomes: ('answered' | GridError)[];
}

const records: CallRecord[] = [];
let server: WebSocketServer;
let proxy: TcpFaultProxy;

beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: LIMITS.frameBytes, perMessageDeflate: false });
  await once(server, 'listening');
  proxy = await TcpFaultProxy.before((server.address() as AddressInfo).port);
});

afterAll(async () => {
  await proxy.close();
  for (const socket of server.clients) socket.terminate();
  server.close();
  await once(server, 'close');
});

/** 60 answers with 32 bytes, 61 with three messages; the first four bytes of a payload are the call's number. */
const handlers: Record<number, CallHandler> = {
  60: { inCapacity: 0, outCapacity: 1, onRequest: (call) => call.respond(noted(call.payload).subarray(0, 32)) },
  61: {
    inCapacity: 0,
    outCapacity: 2,
    onStream: ({ payload, output }) => {
      noted(payload);
      let left = 3;
      const go = (): void => {
        while (left > 0 && output.ready) {
          left--;
          output.send(Buffer.from('message'));
        }
        if (left === 0 || output.closed) finish(output);
      };
      output.onReady = go;
      go();
    },
  },
};

function finish(output: Outbound): void {
  output.onReady = undefined;
  output.end();
}

function noted(payload: Uint8Array | undefined): Buffer {
  const bytes = Buffer.from(payload!);
  records[bytes.readUInt32BE(0)]!.ran++;
  return bytes;
}

/** A connection of real sockets that lead through the proxy. */
async function link(): Promise<[Connection, Connection]> {
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}`, { perMessageDeflate: false });
  const both = Promise.all([once(server, 'connection'), once(client, 'open')]);
  const [[accepted]] = (await both) as [[WebSocket], unknown];
  const end = ports({ clock: systemClock, handlers: { find: (id) => handlers[id] } });
  return connect([wsSocket(client), wsSocket(accepted)], end, end);
}

/** Starts one call; what becomes of it is kept in its record. */
function call(connection: Connection, chance: () => number): void {
  const kind = KINDS[Math.floor(chance() * KINDS.length)]!;
  const record: CallRecord = { kind, ran: 0, outcomes: [] };
  const payload = Buffer.alloc(4 + Math.floor(chance() ** 8 * 300_000));
  payload.writeUInt32BE(records.push(record) - 1);
  const settle = (outcome: 'answered' | GridError): void => void record.outcomes.push(outcome);
  const readAll = (stream: CallerStream): void => {
    const take = (): void => {
      while (stream.output.take());
    };
    stream.output.onReady = take;
    stream.onOver = (error) => settle(error ?? 'answered');
    take();
  };
  const init = { handler: kind === 'request' || kind === 'cancelled' ? 60 : 61, subroute: undefined, payload };
  const timeoutMs = kind === 'short' ? 1 + Math.floor(chance() * 3) : undefined;
  try {
    if (kind === 'stream') {
      readAll(
        connection.mux.openStream({ ...init, timeoutMs, input: false, inCapacity: undefined, outCapacity: undefined }),
      );
      return;
    }
    const request = connection.mux.openRequest(
      { ...init, timeoutMs },
      {
        onResponse: () => settle('answered'),
        onError: settle,
        ...(init.handler === 61 && { onStream: readAll }),
      },
    );
    if (kind === 'cancelled') request.cancel(new GridError('CANCELLED', 'context canceled'));
  } catch (error) {
    settle(error as GridError);
  }
}

async function oneLink(seed: number): Promise<void> {
  const chance = seeded(seed);
  const [dialer, acceptor] = await link();
  // both ends call, whoever dialed
  const ends = [dialer, acceptor] as const;
  const way = chance() < 0.7 ? proxy.there : proxy.back;
  way.reset({ afterBytes: 1 + Math.floor(chance() ** 3 * 400_000) });
  for (let made = 0; made < CALLS_PER_LINK; made++) {
    call(ends[chance() < 0.8 ? 0 : 1]!, chance);
    if (chance() < 0.1) await turn();
  }
  const mine = records.slice(-CALLS_PER_LINK);
  const settled = (): boolean => mine.every(({ outcomes }) => outcomes.length > 0);
  await until(() => settled() || Boolean(dialer.closed && acceptor.closed), 'all calls ended, or both ends', HANG_MS);
  proxy.heal();
  proxy.reset();
  await until(() => Boolean(settled() && dialer.closed && acceptor.closed), 'all calls and both ends', HANG_MS);
  expect([dialer, acceptor].flatMap(({ mux }) => [mux.outgoing, mux.incoming])).toEqual([0, 0, 0, 0]);
}

it(
  `of ${CALLS} calls over links cut at random bytes, none ran that says notSent, and each settles once`,
  async () => {
    for (let seed = 1; records.length < CALLS; seed++) await oneLink(seed);
    await turn();
    const wrong = records.filter(({ ran, outcomes: [outcome, ...more] }) => {
      const answeredUnrun = outcome === 'answered' && ran !== 1;
      return more.length > 0 || outcome === undefined || ran > 1 || answeredUnrun || (isNotSent(outcome) && ran > 0);
    });
    expect(wrong).toEqual([]);
    // the links were cut where it matters: each kind of end was met often
    const ends = { answered: 0, notSent: 0, unknownAndRan: 0, unknownAndNeverRan: 0 };
    for (const { ran, outcomes } of records) {
      if (outcomes[0] === 'answered') ends.answered++;
      else if (isNotSent(outcomes[0]!)) ends.notSent++;
      else if (ran > 0) ends.unknownAndRan++;
      else ends.unknownAndNeverRan++;
    }
    for (const count of Object.values(ends)) expect(count).toBeGreaterThan(CALLS / 200);
  },
  10 * HANG_MS,
);

function isNotSent(outcome: 'answered' | GridError): boolean {
  return outcome !== 'answered' && outcome.notSent;
}
