import { failureOfText, isGridCode, refusalOfText, type ErrorWords, type GridError } from '../errors/index.js';
import {
  decodeMuxConnectError,
  METADATA_BYTES,
  metadataSize,
  parseJson,
  type Message,
  type Metadata,
} from '../wire/index.js';
import { detailsJson } from './error-details.js';
import { oversizeMetadata } from './metadata-cap.js';

/** The metadata key under which an error answer carries more than its text (wire spec §11, `error`). */
export const GRID_ERROR_KEY = 'grid-error';

/**
 * The metadata of an error answer. Where 8,192 bytes do not hold it all, the details go first, but for a word that
 * they did, then the application's own metadata, then the message is cut to a prefix.
 */
export function errorMetadata(error: GridError, own: Metadata | undefined): Metadata {
  const { code } = error;
  // more of it never fits: a handler that repeats what it was sent must not have all of that written again and again
  const message = error.message.slice(0, METADATA_BYTES);
  const details =
    error.details === undefined
      ? undefined
      : detailsJson(error.details, (json) => fits({ ...own, [GRID_ERROR_KEY]: jsonOf(code, message, json) }));
  const full = jsonOf(code, message, details);
  const all = { ...own, [GRID_ERROR_KEY]: full };
  if (fits(all)) return all;
  for (const less of [{ ...own, [GRID_ERROR_KEY]: jsonOf(code, message) }, { [GRID_ERROR_KEY]: full }]) {
    if (fits(less)) return less;
  }
  return { [GRID_ERROR_KEY]: longestPrefix(code, message, details) };
}

function fits(metadata: Metadata): boolean {
  // a character takes a byte at least: what has too many need not be measured
  return metadata[GRID_ERROR_KEY]!.length <= METADATA_BYTES && metadataSize(metadata) <= METADATA_BYTES;
}

/** @param details JSON already. */
function jsonOf(code: string, message: string, details?: string): string {
  const json = JSON.stringify({ code, message });
  return details === undefined ? json : `${json.slice(0, -1)},"details":${details}}`;
}

/** Found by halving: how long a prefix becomes depends on how much of it JSON has to escape. */
function longestPrefix(code: string, message: string, details: string | undefined): string {
  let longest = jsonOf(code, '', details);
  for (let low = 0, high = message.length; low < high;) {
    const middle = (low + high + 1) >>> 1;
    const attempt = jsonOf(code, message.slice(0, middle), details);
    if (!fits({ [GRID_ERROR_KEY]: attempt })) high = middle - 1;
    else {
      low = middle;
      longest = attempt;
    }
  }
  return longest;
}

/** The error of a refusal, whatever is wrong with its metadata: its handler never ran. */
export function refusalOf(message: Message): GridError {
  const oversize = oversizeMetadata(message)?.with({ notSent: true });
  return oversize ?? refusalOfText(decodeMuxConnectError(message.payload), wordsIn(message.metadata));
}

/** The error of an error answer or of an error end. */
export function failureOf(text: string, metadata: Metadata | undefined): GridError {
  return failureOfText(text, wordsIn(metadata));
}

/** What the peer says of the error beside its text. Anything but an object with a string `code` is as if absent. */
function wordsIn(metadata: Metadata | undefined): ErrorWords | undefined {
  const json = metadata?.[GRID_ERROR_KEY];
  if (json === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJson(json);
  } catch {
    // the peer wrote what is no JSON: the code follows from the text then
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('code' in value) || typeof value.code !== 'string')
    return undefined;
  const { code } = value;
  return { code: isGridCode(code) ? code : 'UNKNOWN', details: 'details' in value ? value.details : undefined };
}

/** What the application at the other end gave along with its answer; undefined where it gave nothing. */
export function ownMetadata(metadata: Metadata | undefined): Metadata | undefined {
  if (metadata === undefined || !(GRID_ERROR_KEY in metadata)) return metadata;
  let own: Record<string, string> | undefined;
  for (const key of Object.keys(metadata)) {
    if (key === GRID_ERROR_KEY) continue;
    own ??= Object.create(null) as Record<string, string>;
    own[key] = metadata[key]!;
  }
  return own;
}
