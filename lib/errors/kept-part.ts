import { Buffer } from 'node:buffer';

/**
 * The text of a part that is to be kept: what `slice` gives is a view, and a few characters of it keep the whole text
 * alive, which may be as long as a peer likes.
 */
export function keptPart(part: string): string {
  // not UTF-8: a cut may go through the middle of a character
  return Buffer.from(part, 'utf16le').toString('utf16le');
}
