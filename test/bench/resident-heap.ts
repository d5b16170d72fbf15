/** So many records are weighed to tell how many there must be. */
const SAMPLE = 10_000;

interface Item {
  readonly id: number;
  readonly name: string;
  readonly weight: number;
  readonly tags: readonly number[];
}

/** Held for as long as the process lives. */
const items: Item[] = [];

/**
 * Makes live objects of about so many bytes, as an application has them: its modules, its caches, its tables. A heap of
 * less than 8 MB is never marked by V8, and one slightly above it again and again, for V8 counts the memory of messages
 * that came and are gone with it; no service is as small as a program that does nothing but answer.
 */
export function fillHeap(bytes: number): void {
  if (bytes === 0) return;
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  add(SAMPLE);
  globalThis.gc!();
  const each = (process.memoryUsage().heapUsed - before) / SAMPLE;
  add(Math.max(0, Math.ceil(bytes / each) - SAMPLE));
}

function add(count: number): void {
  const end = items.length + count;
  for (let id = items.length; id < end; id++) items.push({ id, name: `item ${id}`, weight: id / 2, tags: [id] });
}
