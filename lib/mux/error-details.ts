import { Buffer } from 'node:buffer';
import { andMore, countOf, type Omitted } from '../errors/index.js';
import { METADATA_BYTES } from '../wire/index.js';

/**
 * Details of an error as JSON. What does not fit is told to the caller: a list keeps its beginning and says how many
 * more there were, anything else is replaced by a word on what was left out.
 */
export function detailsJson(details: unknown, fits: (json: string) => boolean): string {
  const json = jsonOf(details);
  if (json === undefined) return told('details that JSON cannot hold: a cycle, a bigint, a function');
  if (fits(json)) return json;
  const shorter = withShorterList(JSON.parse(json), fits);
  if (shorter !== undefined) return shorter;
  const bytes = count(Buffer.byteLength(json));
  const instead = told(
    `details of ${bytes} bytes: with the message and the metadata at most ${count(METADATA_BYTES)} fit`,
  );
  // where even a long message has to be cut, a few details take no more room than to say that they are missing
  return json.length <= instead.length ? json : instead;
}

/** Details are the application's: what JSON cannot write must not cost the error its code. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** A list itself, or an object that holds one: `message` in the answer of a `ValidationPipe`. */
function withShorterList(details: unknown, fits: (json: string) => boolean): string | undefined {
  if (isList(details)) return longest(details, (list) => JSON.stringify(list), fits);
  if (typeof details !== 'object' || details === null) return undefined;
  for (const [key, value] of Object.entries(details)) {
    if (!isList(value)) continue;
    const json = longest(value, (list) => JSON.stringify({ ...details, [key]: list }), fits);
    if (json !== undefined) return json;
  }
  return undefined;
}

/** Texts or objects: what can have one more at its end that tells of the rest. */
function isList(value: unknown): value is readonly (string | object)[] {
  if (!Array.isArray(value)) return false;
  const isOne = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item);
  return value.every((item) => typeof item === 'string') || value.every(isOne);
}

/** Found by halving: how long an entry becomes depends on how much of it JSON has to escape. */
function longest(
  list: readonly (string | object)[],
  written: (list: readonly (string | object)[]) => string,
  fits: (json: string) => boolean,
): string | undefined {
  // its last entry may stand for many already
  const total = list.length - 1 + countOf(list.at(-1));
  let longestYet: string | undefined;
  // an entry has two bytes at least: the rest of a list of a million need not be written to see that it does not fit
  for (let low = 0, high = Math.min(list.length - 1, METADATA_BYTES / 2); low < high;) {
    const middle = (low + high + 1) >>> 1;
    const rest = andMore(total - middle);
    const attempt = written([...list.slice(0, middle), typeof list[0] === 'string' ? rest.omitted : rest]);
    if (!fits(attempt)) high = middle - 1;
    else {
      low = middle;
      longestYet = attempt;
    }
  }
  return longestYet;
}

function told(omitted: string): string {
  return JSON.stringify({ omitted } satisfies Omitted);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
