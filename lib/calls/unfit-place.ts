/** A path of more steps is cut: it leads near enough. */
const MOST_STEPS = 8;
const IDENTIFIER = /^[\p{L}_$][\p{L}\p{N}_$]{0,63}$/u;

/**
 * Where in a value the part stands that cannot be encoded: `posts[0].author`, and nothing for the value itself or what
 * cannot be looked into. Only for the text of an error: the parts are encoded once more, one after the other, until one
 * does not fit.
 */
export function placeOfUnfit(value: unknown, fits: (part: unknown) => boolean): string {
  const above = new Set<object>();
  let place = '';
  let part = value;
  try {
    // the second visit of an object is the end of a cycle
    while (above.size < MOST_STEPS && typeof part === 'object' && part !== null && !above.has(part)) {
      above.add(part);
      const found = partsOf(part).find(([, inner]) => isSent(inner) && !fits(inner));
      if (found === undefined) break;
      place += found[0];
      part = found[1];
    }
  } catch {
    // a Proxy that lets nobody look: what is known so far has to do
  }
  return place.startsWith('.') ? place.slice(1) : place;
}

/** Those of lists and plain objects; a getter is not asked again, nor a `toJSON`. */
function partsOf(value: object): [step: string, part: unknown][] {
  if (Array.isArray(value)) return value.map((part: unknown, index) => [`[${index}]`, part]);
  if (ArrayBuffer.isView(value) || 'toJSON' in value) return [];
  return Object.entries(Object.getOwnPropertyDescriptors(value))
    .filter(([, property]) => property.enumerable && 'value' in property)
    .map(([name, { value: part }]) => [stepTo(name), part]);
}

function stepTo(name: string): string {
  return IDENTIFIER.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 64))}]`;
}

/** Functions and symbols are left out of objects, and are nil in lists. */
function isSent(part: unknown): boolean {
  return typeof part !== 'function' && typeof part !== 'symbol';
}
