/** What a caller gets as an error's details where those of the handler could not be sent. */
export interface Omitted {
  /** What was left out, and why. */
  readonly omitted: string;
}

/** Tells it from details of an application. */
export function isOmitted(details: unknown): details is Omitted {
  if (typeof details !== 'object' || details === null) return false;
  const entries = Object.entries(details);
  return entries.length === 1 && entries[0]![0] === 'omitted' && typeof entries[0]![1] === 'string';
}
