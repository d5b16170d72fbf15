/** Digits of a Unix time in milliseconds, enough until the year 5138. */
const TIME_DIGITS = 14;
const NODE_DIGITS = 3;
const SHAPE = new RegExp(`^\\d{${TIME_DIGITS}}-\\d{${NODE_DIGITS}}$`);

/**
 * An object's version: a time and the number of the node that wrote it, as text that sorts by age. A writer holds the
 * lock and has seen the version before, so its own is always newer, whatever its clock says.
 */
export function nextVersion(node: number, before: string | undefined, nowMs: number = Date.now()): string {
  const floor = before === undefined ? 0 : Number(before.slice(0, TIME_DIGITS)) + 1;
  const time = Math.max(Math.floor(nowMs), floor);
  return `${String(time).padStart(TIME_DIGITS, '0')}-${String(node).padStart(NODE_DIGITS, '0')}`;
}

export function isVersion(text: unknown): text is string {
  return typeof text === 'string' && SHAPE.test(text);
}
