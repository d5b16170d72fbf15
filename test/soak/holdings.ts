import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { GridStats } from 'nestjs-grid';
import type { Couple } from './couple.js';
import { LASTING } from './mix.js';

/** How much more heap may be in use, in bytes: what the compiler keeps of a program that it knows better by now. */
export const HEAP_BYTES = 5 * 1024 * 1024;
const QUIET_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** All that a process with two idle hosts holds. */
export interface Holdings {
  readonly heapUsed: number;
  /** Everything else, counted: these must be equal. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What is held when nothing has anything left to do; an error tells what is still there when that does not come. */
export async function holdingsOf(couple: Couple): Promise<Holdings> {
  const giveUpAt = performance.now() + QUIET_WITHIN_MS;
  for (;;) {
    const counts = countsOf(couple);
    const left = Object.entries(counts).filter(([what, count]) => what.startsWith('open ') && count > 0);
    if (left.length === 0) break;
    if (performance.now() > giveUpAt) throw new Error(`still there: ${JSON.stringify(Object.fromEntries(left))}`);
    await delay(LOOK_EVERY_MS);
  }
  // what the first collection finalizes, the next one frees
  for (let round = 0; round < 4; round++) {
    await delay(20);
    collectGarbage();
  }
  return { heapUsed: process.memoryUsage().heapUsed, counts: countsOf(couple) };
}

/**
 * What is held now, and in what it differs from before. A difference must last: a ping that is under way has its timer,
 * and is over in a moment.
 */
export async function compare(couple: Couple, before: Holdings): Promise<{ after: Holdings; left: string[] }> {
  const giveUpAt = performance.now() + QUIET_WITHIN_MS;
  for (;;) {
    const after = await holdingsOf(couple);
    const left = differences(before, after);
    if (left.length === 0 || performance.now() > giveUpAt) return { after, left };
    await delay(LOOK_EVERY_MS);
  }
}

/** What is more, or less, than before; nothing when all is as it was. */
function differences(before: Holdings, after: Holdings): string[] {
  const texts: string[] = [];
  const heap = after.heapUsed - before.heapUsed;
  if (heap > HEAP_BYTES) texts.push(`${(heap / 1024 / 1024).toFixed(1)} MB more heap`);
  for (const what of new Set([...Object.keys(before.counts), ...Object.keys(after.counts)])) {
    const [was, is] = [before.counts[what] ?? 0, after.counts[what] ?? 0];
    if (was !== is) texts.push(`${what}: ${was} before, ${is} after`);
  }
  return texts;
}

function collectGarbage(): void {
  if (!globalThis.gc) throw new Error('run with --expose-gc');
  globalThis.gc();
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
