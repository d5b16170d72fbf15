/** A name that a stranger gave is told up to so many characters. */
const CLAIM_CHARS = 200;
/** What JSON leaves as it is, and a terminal may take for a command, a line break or another direction of writing. */
const UNESCAPED = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** What a stranger said, safe to repeat. */
export function claim(text: string): string {
  const json = JSON.stringify(text.length > CLAIM_CHARS ? `${text.slice(0, CLAIM_CHARS)}…` : text);
  return json.replaceAll(UNESCAPED, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
