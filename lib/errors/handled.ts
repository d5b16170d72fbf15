/**
 * The same promise, marked as handled: who awaits it still gets its rejection, and if nobody does, the process does not
 * end by it. Only for one whose failure is told elsewhere, or is of no interest; say which where it is called.
 */
export function handled<T>(promise: PromiseLike<T>): Promise<T> {
  const marked = Promise.resolve(promise);
  marked.catch(() => {});
  return marked;
}
