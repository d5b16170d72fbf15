/** A promise that did not hold, and the least of the history that shows it. */
export interface Violation {
  readonly promise: string;
  readonly piece: readonly unknown[];
}

export function violationLines({ promise, piece }: Violation): string[] {
  return [`VIOLATION: ${promise}`, ...piece.map((part) => `    ${JSON.stringify(part)}`)];
}
