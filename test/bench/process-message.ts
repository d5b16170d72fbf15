import type { LoadResult } from './load.js';

/** From the two processes of a run to the one that started them. */
export type FromRun =
  | { readonly kind: 'ready' }
  | { readonly kind: 'mark'; readonly at: 'begin' | 'end' }
  | { readonly kind: 'cpu'; readonly microseconds: number }
  | { readonly kind: 'result'; readonly result: LoadResult };

/** From the starting process to the two of a run. */
export type ToRun = { readonly kind: 'cpu?' } | { readonly kind: 'marked' };

export function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
