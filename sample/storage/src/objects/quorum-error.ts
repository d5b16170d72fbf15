/** Too few nodes did their part. For a write the outcome is open: it may become visible later, or be overwritten. */
export class QuorumError extends Error {
  override readonly name = 'QuorumError';

  constructor(what: string, reached: number, needed: number, failures: readonly unknown[]) {
    const causes = [
      ...new Set(failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)))),
    ];
    super(`${what}: ${reached} nodes of ${needed} needed${causes.length > 0 ? ` (${causes.join('; ')})` : ''}`, {
      cause: failures[0],
    });
  }
}
