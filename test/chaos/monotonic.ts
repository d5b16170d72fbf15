/** Milliseconds since the machine started: one clock for all processes on it, and no step of the date moves it. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
