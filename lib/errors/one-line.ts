import { keptPart } from './kept-part.js';

/** So much of what another host said stands in a line. */
const MOST_CHARS = 512;

/**
 * Text of another host as a part of one line: it may hold neither line breaks nor what a terminal takes for a command,
 * nor what turns the order of the letters behind it.
 */
export function inOneLine(text: string): string {
  // a text may be as long as a message
  const start = text.slice(0, 2 * MOST_CHARS);
  const line = start.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\s]+/gu, ' ').trim();
  return start.length < text.length || line.length > MOST_CHARS ? keptPart(`${line.slice(0, MOST_CHARS)}…`) : line;
}
