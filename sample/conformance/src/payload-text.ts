import { GridError } from 'nestjs-grid';

/** The most that a timer of Node waits, in milliseconds; as a count or a size it is more than anybody asks for. */
const MOST = 2 ** 31 - 1;

export function textOf(payload: Buffer | undefined): string {
  return payload?.toString('utf8') ?? '';
}

/** What the payload of 62, 63 or 71 asks for. Anything else would be answered with what nobody asked for. */
export function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= MOST) return number;
  throw new GridError('INVALID_ARGUMENT', `'${text}' is not a whole number from 0 to ${MOST}`);
}
