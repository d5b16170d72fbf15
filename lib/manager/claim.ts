/** A name that a stranger gave is told up to so many characters. */
const CLAIM_CHARS = 200;

/** What a stranger said, safe to repeat. */
export function claim(text: string): string {
  return JSON.stringify(text.length > CLAIM_CHARS ? `${text.slice(0, CLAIM_CHARS)}…` : text);
}
