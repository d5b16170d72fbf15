// A session between two processes whose connection ends at every kind of byte: inside the upgrade, Connect, a frame's
// header, a Merged. Each call gets exactly one end, and the end tells the truth.
import { afterEach, expect, it } from '@jest/globals';
import { decodeFrame, EXTENSIONS, Op } from '../../lib/wire/index.js';
import { until } from '../conformance/hang-budget.js';
import { volume } from '../scale.js';
import { ProxiedCluster, type End } from './host-process.js';
import { framesOf, type Frame } from './recorded-frames.js';

const OFFSETS = volume(200, 2_000);
const ITEMS = 8;
/** Calls of one session. */
const CALLS = 6;

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

/** What is wrong with an end, if anything is: `ran` tells how often its handler ran. */
function lieOf({ kind, items, answer, id, error }: End, ran: number): string | undefined {
  if (items.some((item, index) => item !== index) || items.length > ITEMS) return 'the items are no prefix';
  if (ran > 1) return 'it ran twice';
  if (error) {
    if (error.code !== 'UNAVAILABLE') return `it failed with ${error.code}`;
    if (error.notSent && ran > 0) return 'notSent, but it ran';
    return undefined;
  }
  if (ran !== 1) return 'it succeeded and never ran';
  if (kind === 'request') return answer === id ? undefined : 'it has the answer of another';
  return items.length === ITEMS ? undefined : 'it ended cleanly, but not all items came';
}

/** The bytes of one way that an offset may fall on, by what is cut there. */
function places(frames: readonly Frame[], bytes: number): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const add = (place: string, at: number): void => void found.set(place, [...(found.get(place) ?? []), at]);
  const firstFrame = frames[0]!.start;
  for (let at = 1; at < firstFrame; at++) add('upgrade', at);
  for (const [index, { start, payloadStart, end, payload }] of frames.entries()) {
    const rules = { extensions: new Set(EXTENSIONS), messageBytes: Infinity, frameMessages: Infinity };
    const messages = decodeFrame(payload, rules);
    const inside = messages.length > 1 ? 'merged' : index === 0 ? 'handshake' : 'message';
    expect(index === 0 && ![Op.Connect, Op.ConnectResponse].includes(messages[0]!.op as never)).toBe(false);
    for (let at = start + 1; at < payloadStart; at++) add('frame header', at);
    for (let at = payloadStart; at < end && at < bytes; at++) add(inside, at);
    add('border', end);
  }
  return found;
}

/** So many offsets, of each place as many, spread over it. */
function chosen(found: Map<string, number[]>, count: number): [string, number][] {
  const share = Math.ceil(count / found.size);
  return [...found].flatMap(([place, all]) =>
    Array.from({ length: share }, (_, n): [string, number] => {
      return [place, all[Math.floor(((n + 0.5) * all.length) / share)]!];
    }),
  );
}

it(`H11 B17 cut or reset at ${OFFSETS} offsets of a session: one true end per call, and it goes on`, async () => {
  cluster = await ProxiedCluster.start(1, { record: true });
  const { proxy, callers, target } = cluster;
  const [caller] = callers;
  const peer = target.local;
  let first = 0;
  /** From a new connection on: the upgrade, the handshake, one call of each kind. */
  const session = async (arm: () => void): Promise<End[]> => {
    proxy.heal();
    await caller!.tell('connect', { peer });
    const { connected } = proxy;
    proxy.reset();
    arm();
    await until(async () => proxy.connected > connected, 'it is dialed anew', 20_000);
    await caller!.tell('connect', { peer });
    first += CALLS;
    return caller!.tell('session', { peer, first, items: ITEMS });
  };

  const whole = await session(() => (proxy.records.length = 0));
  expect(whole.map((end) => lieOf(end, 1))).toEqual(whole.map(() => undefined));
  const connection = proxy.records.at(-1)!.connection;
  const ends: End[] = [];
  const met: Record<string, number> = {};
  const armed: string[] = [];
  for (const way of ['there', 'back'] as const) {
    const bytes = proxy.recorded(connection, way);
    const found = places(framesOf(bytes), bytes.length);
    for (const [index, [place, afterBytes]] of chosen(found, OFFSETS / 2).entries()) {
      met[place] = (met[place] ?? 0) + 1;
      ends.push(...(await session(() => proxy[way][index % 2 === 0 ? 'cut' : 'reset']({ afterBytes }))));
      // another order of frames may have made the session shorter
      if (proxy[way].armed > 0) armed.push(`${way} ${afterBytes} of ${bytes.length}`);
    }
  }
  proxy.heal();
  await caller!.tell('connect', { peer });
  // both ends are well afterwards, with nothing left
  expect(await caller!.tell('request', { peer, handler: 60, payload: 'x' })).toMatchObject({ answer: 'x' });
  const ran = await target.tell('ran');
  const lies = ends.map((end) => ({ end, lie: lieOf(end, ran[end.id] ?? 0) })).filter(({ lie }) => lie !== undefined);
  expect(lies).toEqual([]);
  expect(ends.length).toBeGreaterThanOrEqual(OFFSETS * CALLS);
  expect(Object.keys(met).toSorted()).toEqual(['border', 'frame header', 'handshake', 'merged', 'message', 'upgrade']);
  expect(armed.length).toBeLessThan(OFFSETS / 5);
  // it was cut where it matters
  const count = (of: (end: End) => boolean): number => ends.filter(of).length;
  expect(count(({ error }) => error === undefined)).toBeGreaterThan(OFFSETS / 4);
  expect(count(({ error }) => error !== undefined)).toBeGreaterThan(OFFSETS / 4);
  expect(count(({ error, items }) => error !== undefined && items.length > 0)).toBeGreaterThan(0);
  const { streams, peers } = await target.tell('facts');
  // every handler has come to its end, by its finally
  expect(streams.ended).toBe(streams.started);
  expect(streams.aborted).toBeLessThanOrEqual(streams.started);
  expect(peers.map(({ open }) => open)).toEqual([0]);
}, 600_000);
