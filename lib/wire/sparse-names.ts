/** An index so far past twice as many as there are leaves a gap. */
const LEEWAY = 16;
/** The greatest index there is. */
const GREATEST_INDEX = 2 ** 32 - 2;

/**
 * True for a name, the one behind `count` others, that the engine would take for an index behind a gap. It keeps such
 * names in a list with room for all numbers before them: `{ 1023: null }`, five bytes of MessagePack, were 12 KB of
 * memory, and a payload of two megabytes the end of the process.
 */
export function leavesGap(name: string, count: number): boolean {
  const first = name.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 && Number(name) > 2 * count + LEEWAY;
}

/**
 * From now on the engine keeps the object's indices in a table, whatever they are: it does so for good where one of
 * them was not writable.
 */
export function makeSparse(object: object): void {
  Object.defineProperty(object, GREATEST_INDEX, { configurable: true });
  Reflect.deleteProperty(object, GREATEST_INDEX);
}
