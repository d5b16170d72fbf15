import { toGridError, type GridError } from '../errors/index.js';

/** How the call to one host ended. */
export type Settled<Res> =
  | { readonly peer: string; readonly status: 'fulfilled'; readonly value: Res }
  | { readonly peer: string; readonly status: 'rejected'; readonly error: GridError };

/**
 * The outcomes of one call to several hosts, in the order in which they come. The calls run already; leaving a loop
 * over it early cancels those that still do.
 */
export class SettledResults<Res> implements AsyncIterable<Settled<Res>> {
  private readonly settled: Settled<Res>[] = [];
  private readonly calls: readonly Promise<void>[];
  private wake: (() => void)[] = [];

  constructor(
    calls: readonly { readonly peer: string; readonly call: () => Promise<Res> }[],
    private readonly cancel: () => void,
  ) {
    this.calls = calls.map(async ({ peer, call }) => {
      try {
        // the call may throw before it gives a promise
        this.add({ peer, status: 'fulfilled', value: await call() });
      } catch (error) {
        this.add({ peer, status: 'rejected', error: toGridError(error) });
      }
    });
  }

  /** All outcomes, once the last one is there. Never rejects. */
  async all(): Promise<Settled<Res>[]> {
    await Promise.all(this.calls);
    return [...this.settled];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Settled<Res>, void, undefined> {
    try {
      for (let next = 0; next < this.calls.length; next++) {
        while (next >= this.settled.length) await new Promise<void>((resolve) => this.wake.push(resolve));
        yield this.settled[next]!;
      }
    } finally {
      this.cancel();
    }
  }

  private add(outcome: Settled<Res>): void {
    this.settled.push(outcome);
    for (const wake of this.wake.splice(0)) wake();
  }
}
