import type { GridManager, GridOptions } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { until } from '../until.js';
import { allConnected, Neighbourhood, type House } from './neighbourhood.js';

/** Two connected hosts, the dialer first. */
export interface Couple {
  readonly hood: Neighbourhood;
  readonly houses: readonly [House, House];
  readonly dialer: GridManager;
  readonly acceptor: GridManager;
}

/** Builds and connects two hosts that serve the same handlers. */
export async function couple(
  prepare: (grid: GridManager) => void = () => {},
  options: Partial<GridOptions> = {},
): Promise<Couple> {
  const hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  const houses: [House, House] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
  const [dialer, acceptor] = houses.map((house) => house.grid(options)) as [GridManager, GridManager];
  for (const grid of [dialer, acceptor]) {
    prepare(grid);
    void grid.start();
  }
  await allConnected(dialer, acceptor);
  return { hood, houses, dialer, acceptor };
}

/** Handlers of calls of others that have not ended at this host. */
export function running(grid: GridManager): number {
  return grid.stats().peers.reduce((sum, peer) => sum + peer.running, 0);
}

/** Calls that stand in the tables of this host, in both directions. */
export function openCalls(grid: GridManager): number {
  return grid.stats().peers.reduce((sum, peer) => sum + peer.outgoing + peer.incoming, 0);
}

/** Waits until no call and no handler is left anywhere. */
export async function nothingLeft(...grids: readonly GridManager[]): Promise<void> {
  const left = (): number => grids.reduce((sum, grid) => sum + running(grid) + openCalls(grid), 0);
  await until(() => left() === 0, 'no call and no handler is left');
}
