import { keptPart } from './kept-part.js';

/** Characters that stay of a text's start, and of its end, where the frames of a stack stand. */
const KEPT = 4_096;

/**
 * The text of an error for logs and traces. An error may repeat what its caller sent, megabytes of it and as often as
 * that likes: of such a text the middle is left out.
 */
export function shortened(text: string): string {
  const left = text.length - 2 * KEPT;
  if (left <= 0) return text;
  return keptPart(`${text.slice(0, KEPT)} … ${left} characters left out … ${text.slice(-KEPT)}`);
}
