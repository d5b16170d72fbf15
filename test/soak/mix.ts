import { GridError, type GridPeer } from 'nestjs-grid';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { lasts } from '../pace.js';
import { turn } from '../turn.js';
import { ASKED, BREAKS, ECHO, FAIL, ITEM_COUNT, ITEMS, NOBODY, SUM, TOLD, WAIT } from './answers.controller.js';
import type { Couple } from './couple.js';

const PAYLOAD = Buffer.alloc(200, 7);
const HOUR_MS = 3_600_000;
const SHORT_MS = 5;
/** The pause of who finds no connection. */
export const AWAY_MS = 2;

interface Kind {
  /** Of a hundred calls. */
  readonly share: number;
  /** How it ends while the connection stands: `ok`, or the code of its error. */
  readonly ends: string;
  readonly call: (couple: Couple) => Promise<unknown>;
}

const core = ({ core }: Couple): GridPeer => core.peers[0]!;

/** One signal of many calls: each must take its listener off again. */
export const LASTING = new AbortController();

/** Every way in which a call is made and ends, from the host without Nest and from the Nest app. */
export const MIX: Readonly<Record<string, Kind>> = {
  request: { share: 34, ends: 'ok', call: (couple) => core(couple).request(ECHO, PAYLOAD) },
  'request with a lasting signal': {
    share: 6,
    ends: 'ok',
    call: (couple) => core(couple).request(ECHO, PAYLOAD, { signal: LASTING.signal }),
  },
  event: { share: 8, ends: 'ok', call: (couple) => core(couple).emit(TOLD, 'news') },
  'request that fails': { share: 6, ends: 'NOT_FOUND', call: (couple) => core(couple).request(FAIL) },
  'request to nobody': { share: 3, ends: 'UNIMPLEMENTED', call: (couple) => core(couple).request(NOBODY) },
  'request that is cancelled': { share: 5, ends: 'CANCELLED', call: cancelled },
  'request past its deadline': {
    share: 4,
    ends: 'DEADLINE_EXCEEDED',
    call: (couple) => core(couple).request(WAIT, undefined, { timeoutMs: SHORT_MS }),
  },
  'stream read to its end': { share: 6, ends: 'ok', call: (couple) => readAll(core(couple)) },
  'stream that is left': { share: 3, ends: 'ok', call: leave },
  'stream that breaks': {
    share: 2,
    ends: 'NOT_FOUND',
    call: (couple) => lastValueFrom(core(couple).stream(BREAKS, PAYLOAD).toObservable()),
  },
  'stream with input': { share: 3, ends: 'ok', call: (couple) => add(core(couple)) },
  'ClientProxy.send': { share: 12, ends: 'ok', call: ({ client }) => firstValueFrom(client.send(ASKED, 'what')) },
  'ClientProxy.emit': { share: 3, ends: 'ok', call: ({ client }) => lastValueFrom(client.emit(TOLD, 'news')) },
  'ClientProxy.send, unsubscribed': { share: 2, ends: 'ok', call: unsubscribe },
  'stream of the Nest app': { share: 3, ends: 'ok', call: ({ nest }) => readAll(nest.peers[0]!) },
};

/** One after the other, as often as their shares say. */
const TURNS = Object.values(MIX).flatMap((kind) => Array<Kind>(kind.share).fill(kind));
/** So many calls of the mix have all kinds among them. */
export const ROUND = TURNS.length;

/** What came of calls: how each ended, and the ends that none of them should have had. */
export interface Ends {
  readonly counts: Map<string, number>;
  readonly wrong: Map<string, number>;
}

/** Makes so many calls of the mix, `outstanding` at a time. */
export async function runMix(couple: Couple, calls: number, outstanding: number, stop?: () => boolean): Promise<Ends> {
  const ends: Ends = { counts: new Map(), wrong: new Map() };
  let made = 0;
  const worker = async (): Promise<void> => {
    while (made < calls && !stop?.()) {
      // 37 and 100 have no common divisor: all kinds come, and in turns
      const kind = TURNS[(made++ * 37) % TURNS.length]!;
      const end = await endOf(kind.call(couple));
      // without a connection calls fail at once: workers that never wait would keep it from coming back
      if (end === 'UNAVAILABLE') await lasts(AWAY_MS);
      ends.counts.set(end, (ends.counts.get(end) ?? 0) + 1);
      if (end !== kind.ends) {
        const name = Object.keys(MIX).find((one) => MIX[one] === kind);
        const text = `${name} ended with ${end} instead of ${kind.ends}`;
        ends.wrong.set(text, (ends.wrong.get(text) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: outstanding }, worker));
  return ends;
}

/** Requests that are over at once and could have lasted an hour. */
export async function runHour(couple: Couple, calls: number, outstanding: number): Promise<void> {
  let made = 0;
  const worker = async (): Promise<void> => {
    while (made++ < calls) await core(couple).request(ECHO, PAYLOAD, { timeoutMs: HOUR_MS });
  };
  await Promise.all(Array.from({ length: outstanding }, worker));
}

async function endOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return GridError.is(error) ? error.code : String(error);
  }
}

function cancelled(couple: Couple): Promise<unknown> {
  const controller = new AbortController();
  const call = core(couple).request(WAIT, undefined, { signal: controller.signal });
  setImmediate(() => controller.abort());
  return call;
}

async function readAll(peer: GridPeer): Promise<void> {
  const values = await lastValueFrom(peer.stream(ITEMS, PAYLOAD).toObservable().pipe(toArray()));
  if (values.length !== ITEM_COUNT) throw new Error(`${values.length} values of ${ITEM_COUNT}`);
}

async function leave(couple: Couple): Promise<void> {
  for await (const _ of core(couple).stream(ITEMS, PAYLOAD)) break;
}

async function add(peer: GridPeer): Promise<void> {
  const call = peer.stream<number, number>(SUM, undefined, { input: [1, 2, 3, 4] });
  for await (const total of call) if (total !== 10) throw new Error(`the sum is ${total}`);
}

async function unsubscribe({ client }: Couple): Promise<void> {
  const asked = client.send(ASKED, 'what').subscribe({ error: () => undefined });
  await turn();
  asked.unsubscribe();
}
