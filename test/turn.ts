/** One turn of the event loop: what was ready has run when it is over, and no time is waited for. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
