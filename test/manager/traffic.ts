import { expect } from '@jest/globals';
import type { GridManager } from '../../lib/manager/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';

/** What `Traffic` calls. */
export function answerTraffic(grid: GridManager): void {
  grid.handle(60, { kind: 'request' }, (payload: unknown) => payload);
  grid.handle(61, { kind: 'stream', inCapacity: 4 }, async function* (_payload, { input }) {
    yield* input as AsyncIterable<unknown>;
  });
}

/** Calls and streams between all hosts, in all directions, without a pause. */
export class Traffic {
  readonly failures: unknown[] = [];
  calls = 0;
  items = 0;
  private stopped = false;
  private readonly running: Promise<unknown>[];

  constructor(grids: readonly GridManager[]) {
    const pairs = grids.flatMap((from) => from.peers.map((peer) => ({ from, peer })));
    this.running = pairs.flatMap(({ peer }) => [
      this.keep(async () => {
        expect(await peer.request(60, this.calls)).toEqual(expect.any(Number));
        this.calls++;
      }),
      this.stream(peer),
    ]);
  }

  /** Lets each of them go on for a while. */
  async more(count: number): Promise<void> {
    const [calls, items] = [this.calls, this.items];
    const enough = (): boolean => this.calls >= calls + count && this.items >= items + count;
    await until(() => this.failures.length > 0 || enough(), 'calls and items go on');
    expect(this.failures).toEqual([]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  private async keep(act: () => Promise<unknown>): Promise<void> {
    while (!this.stopped && this.failures.length === 0) {
      await act().catch((error: unknown) => this.failures.push(error));
      await turn();
    }
  }

  /** One stream, open from beginning to end, that gives back what it is sent. */
  private async stream(peer: GridManager['peers'][number]): Promise<void> {
    const call = peer.stream<number, number>(61, undefined, { inCapacity: 4 });
    const items = call[Symbol.asyncIterator]();
    let sent = 0;
    await this.keep(async () => {
      await call.write(sent);
      expect(await items.next()).toEqual({ done: false, value: sent++ });
      this.items++;
    });
    if (this.failures.length > 0) return;
    call.end();
    const last = await items.next().catch((error: unknown) => this.failures.push(error));
    expect(last).toMatchObject({ done: true });
  }
}
