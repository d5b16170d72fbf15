import { inOneLine } from '../errors/index.js';
import type { CallDirection } from '../observe/index.js';
import type { GridStats } from './grid-stats.js';
import type { PeerCounts } from './peer-stats.js';

/** So many patterns of each sort are named. */
const MOST_NAMED = 8;

/**
 * What a drain has not seen the end of, in one line; undefined where that is nothing. A handler whose call is over has
 * no name here: nobody waits for what it gives.
 * @param events Patterns of the events whose handlers run: their calls are over by then.
 * @param unheard Hosts that have not answered the word that this one leaves: a frozen one keeps it waiting, too.
 */
export function leftovers(
  { local, peers, self }: GridStats,
  events: readonly string[],
  unheard: readonly string[],
): string | undefined {
  const all = [...peers, { ...self, host: local }];
  const parts = [
    part('running handlers', sum(all.map(({ running }) => running)), events),
    part('calls of others', sum(peers.map(({ incoming }) => incoming)), openCalls(peers, 'incoming', 'from')),
    part('own calls', sum(all.map(({ outgoing }) => outgoing)), openCalls(all, 'outgoing', 'to')),
    part('messages not written', sum(peers.map(({ queued }) => queued)), []),
    part('hosts that do not answer', unheard.length, unheard),
  ].flat();
  return parts.length === 0 ? undefined : parts.join('; ');
}

function openCalls(
  hosts: readonly (Pick<PeerCounts, 'handlers'> & { readonly host: string })[],
  direction: CallDirection,
  way: 'from' | 'to',
): string[] {
  return hosts.flatMap(({ host, handlers }) =>
    handlers
      .filter((of) => of.direction === direction && of.open > 0)
      .map(({ handler, pattern = String(handler), open }) => `${open} of ${pattern} ${way} ${host}`),
  );
}

function part(what: string, count: number, names: readonly string[]): string[] {
  if (count === 0) return [];
  const named = names.slice(0, MOST_NAMED).map(inOneLine);
  if (names.length > MOST_NAMED) named.push('…');
  return [`${what}: ${count}${named.length > 0 ? ` (${named.join(', ')})` : ''}`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
