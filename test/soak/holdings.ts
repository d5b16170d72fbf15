import { getEventListeners } from 'node:events';
import type { GridStats } from 'nestjs-grid';
import { finalizeGarbage } from '../garbage.js';
import { lasts } from '../pace.js';
import { until } from '../until.js';
import type { Couple } from './couple.js';
import { LASTING } from './mix.js';

/** How much more heap may be in use, in bytes: what the compiler keeps of a program that it knows better by now. */
export const HEAP_BYTES = 5 * 1024 * 1024;
const QUIET_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 100;
/** Longer than the timer that watches a write. */
const MOMENT_MS = 1_500;

/** All that a process with two idle hosts holds. */
export interface Holdings {
  readonly heapUsed: number;
  /** Everything else, counted: these must be equal. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What is held when nothing has anything left to do; an error tells what is still there when that does not come. */
export async function holdingsOf(couple: Couple): Promise<Holdings> {
  const open = (): string[] => Object.entries(countsOf(couple)).flatMap(openOf);
  await until(() => open().length === 0, 'quiet', QUIET_WITHIN_MS).catch((error: unknown) => {
    throw new Error(`still there: ${open().join(', ')}`, { cause: error });
  });
  // what the first collection finalizes, the next one frees
  for (let round = 0; round < 4; round++) await finalizeGarbage();
  return { heapUsed: process.memoryUsage().heapUsed, counts: countsOf(couple) };
}

function openOf([what, count]: [string, number]): string[] {
  return what.startsWith('open ') && count > 0 ? [`${what}: ${count}`] : [];
}

/**
 * What is held before anything is compared with it: of each count the least of a while. What pings and goodbyes hold
 * for a moment, such as the timer that watches a write, does not belong to it.
 */
export async function baseLineOf(couple: Couple): Promise<Holdings> {
  let least = await holdingsOf(couple);
  for await (const _ of looks(MOMENT_MS)) {
    const { heapUsed, counts } = await holdingsOf(couple);
    const names = Object.keys(counts).filter((what) => what in least.counts);
    const entries = names.map((what) => [what, Math.min(counts[what]!, least.counts[what]!)] as const);
    least = { heapUsed: Math.min(heapUsed, least.heapUsed), counts: Object.fromEntries(entries) };
  }
  return least;
}

/**
 * What is held now, and in what it differs from before. A difference must stand in every look: what a ping holds comes
 * and goes.
 */
export async function compare(couple: Couple, before: Holdings): Promise<{ after: Holdings; left: string[] }> {
  let after = await holdingsOf(couple);
  let left = differences(before, after);
  for await (const _ of looks(QUIET_WITHIN_MS)) {
    if (left.size === 0) break;
    after = await holdingsOf(couple);
    const now = differences(before, after);
    left = new Map([...now].filter(([what]) => left.has(what)));
  }
  return { after, left: [...left.values()] };
}

/** Looks at something that changes by itself, again and again for so long. */
async function* looks(ms: number): AsyncGenerator<void> {
  const endsAt = performance.now() + ms;
  for (;;) {
    await lasts(LOOK_EVERY_MS);
    if (performance.now() > endsAt) return;
    yield;
  }
}

/** What is more, or less, than before, each with its text; nothing when all is as it was. */
function differences(before: Holdings, after: Holdings): Map<string, string> {
  const texts = new Map<string, string>();
  const heap = after.heapUsed - before.heapUsed;
  if (heap > HEAP_BYTES) texts.set('heap', `${(heap / 1024 / 1024).toFixed(1)} MB more heap`);
  for (const what of new Set([...Object.keys(before.counts), ...Object.keys(after.counts)])) {
    const [was, is] = [before.counts[what] ?? 0, after.counts[what] ?? 0];
    if (was !== is) texts.set(what, `${what}: ${was} before, ${is} after`);
  }
  return texts;
}

function countsOf({ core, nest }: Couple): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) add(counts, `resources ${kind}`, 1);
  for (const name of process.eventNames()) {
    add(counts, `listeners of process, ${String(name)}`, process.listenerCount(name));
  }
  add(counts, 'listeners of a lasting signal', getEventListeners(LASTING.signal, 'abort').length);
  for (const [socket, listeners] of socketListeners()) add(counts, `listeners of a ${socket}`, listeners);
  for (const grid of [core, nest]) addStats(counts, grid.stats());
  return counts;
}

/** Of all sockets that are open. Node has no public list of them. */
function socketListeners(): [string, number][] {
  const { _getActiveHandles: active } = process as unknown as { _getActiveHandles(): unknown[] };
  return active.call(process).flatMap((handle): [string, number][] => {
    const emitter = handle as NodeJS.EventEmitter | undefined;
    if (typeof emitter?.eventNames !== 'function') return [];
    const listeners = emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
    return [[emitter.constructor.name, listeners]];
  });
}

function addStats(counts: Record<string, number>, { peers, self }: GridStats): void {
  for (const one of [...peers, self]) {
    add(counts, 'open calls out', one.outgoing);
    add(counts, 'open calls in', one.incoming);
    add(counts, 'open handlers', one.running);
    add(counts, 'kinds of calls', one.handlers.length);
    for (const { open, unread, starved } of one.handlers) add(counts, 'open in stats', open + unread + starved);
  }
  for (const { queued, queuedBytes, state } of peers) {
    add(counts, 'open in the queue', queued + queuedBytes);
    add(counts, 'connections', state === 'connected' ? 1 : 0);
  }
}

function add(counts: Record<string, number>, what: string, count: number): void {
  counts[what] = (counts[what] ?? 0) + count;
}
