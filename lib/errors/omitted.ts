/** What a caller gets as an error's details where those of the handler could not be sent. */
export interface Omitted {
  /** What was left out, and why. */
  readonly omitted: string;
}

/** In place of the rest of a list. */
export function andMore(count: number): Omitted {
  return { omitted: `and ${count.toLocaleString('en-US')} more` };
}

/** How many the rest of a list was that such an entry stands for, 1 for any other: itself. */
export function countOf(entry: unknown): number {
  const said = isOmitted(entry) ? /^and ([\d,]+) more$/.exec(entry.omitted) : null;
  return said ? Number(said[1]!.replaceAll(',', '')) : 1;
}

/** Tells it from details of an application. */
export function isOmitted(details: unknown): details is Omitted {
  if (typeof details !== 'object' || details === null) return false;
  const entries = Object.entries(details);
  return entries.length === 1 && entries[0]![0] === 'omitted' && typeof entries[0]![1] === 'string';
}
