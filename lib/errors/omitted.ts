/** What a caller gets as an error's details where those of the handler could not be sent. */
export interface Omitted {
  /** What was left out, and why. */
  readonly omitted: string;
}

/** In place of the rest of a list. */
export function andMore(count: number): Omitted {
  return { omitted: `and ${count.toLocaleString('en-US')} more` };
}

/** How many the rest of a list was that such an entry, or its text in a list of texts, stands for; 1 for any other. */
export function countOf(entry: unknown): number {
  const text = isOmitted(entry) ? entry.omitted : entry;
  const said = typeof text === 'string' ? /^and ([\d,]+) more$/.exec(text) : null;
  return said ? Number(said[1]!.replaceAll(',', '')) : 1;
}

/** Tells it from details of an application. */
export function isOmitted(details: unknown): details is Omitted {
  if (typeof details !== 'object' || details === null) return false;
  const entries = Object.entries(details);
  return entries.length === 1 && entries[0]![0] === 'omitted' && typeof entries[0]![1] === 'string';
}
