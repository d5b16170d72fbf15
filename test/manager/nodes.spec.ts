import { afterEach, describe, expect, it } from '@jest/globals';
import type { CallContext } from '../../lib/calls/index.js';
import type { GridManager, GridPeer } from '../../lib/manager/index.js';
import { volume } from '../scale.js';
import { nothingLeft } from './couple.js';
import { allConnected, Neighbourhood } from './neighbourhood.js';

/** What Go peers measure on grids of every size, as a matter of function. */

const INPUTS = 10;

let hood: Neighbourhood;
afterEach(() => hood.close());

function serve(grid: GridManager): void {
  grid.handle(60, { kind: 'request' }, (payload) => payload);
  // takes exactly ten inputs, gives nothing
  grid.handle(61, { kind: 'stream', inCapacity: 10 }, async (_payload: unknown, { input }: CallContext) => {
    let count = 0;
    for await (const _ of input) count++;
    if (count !== INPUTS) throw new Error(`${count} inputs`);
  });
  // an answer for each input
  grid.handle(
    62,
    { kind: 'stream', inCapacity: 10, outCapacity: 10 },
    async function* (_payload: unknown, { input }: CallContext) {
      for await (const item of input) yield item;
    },
  );
  grid.handle(63, { kind: 'stream', subroute: 'subroute/1', outCapacity: 1 }, async function* () {
    for (let i = 0; i < INPUTS; i++) yield i;
  });
}

/** Whom a host calls: its next few in the ring of all, or every other one. */
function called(grid: GridManager, index: number): { from: string; peer: GridPeer }[] {
  const { peers } = grid;
  const some = Math.min(peers.length, volume(4, peers.length));
  return Array.from({ length: some }, (_, i) => ({ from: grid.local, peer: peers[(index + i) % peers.length]! }));
}

async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe.each([2, 4, 8, 16, 32])('%i hosts', (count) => {
  it('serve requests and streams of every kind, all at once', async () => {
    hood = await Neighbourhood.build(count);
    const grids = hood.houses.map((house) => house.grid());
    grids.forEach(serve);
    for (const grid of grids) void grid.start();
    await allConnected(...grids);
    const tens = Array.from({ length: INPUTS }, (_, i) => i);
    expect(hood.houses.reduce((sum, house) => sum + house.sockets, 0)).toBe((count * (count - 1)) / 2);
    await Promise.all(
      grids.flatMap(called).map(async ({ from, peer }) => {
        const text = `${from} to ${peer.origin}`;
        expect(await peer.request(60, text)).toBe(text);
        const counted = peer.stream(61, undefined, { input: tens, inCapacity: 10 });
        expect(await collect(counted)).toEqual([]);
        const echoed = peer.stream(62, undefined, { input: tens, inCapacity: 10 });
        expect(await collect(echoed)).toEqual(tens);
        expect(await collect(peer.subroute('subroute', '1').stream(63))).toEqual(tens);
      }),
    );
    await nothingLeft(...grids);
  }, 240_000);
});
