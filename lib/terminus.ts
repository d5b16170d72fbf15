import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { GridError, toGridError } from './errors/index.js';
import type { GridManager, GridPeer, PeerState } from './manager/index.js';
import { getGridToken } from './nest/index.js';

/** Options of `isHealthy()`. */
export interface GridHealthOptions {
  /**
   * Which peers must be there: all of them, any one, so many, or these. Default `any`: a host is not ill because
   * another one is. Where a grid has no peers, `any` and `all` hold.
   */
  readonly peers?: 'all' | 'any' | number | readonly string[];
  /**
   * Asks each connected peer for a sign of life too; one that takes longer, in milliseconds (above 0), counts as away.
   * Default: nobody is asked.
   */
  readonly timeoutMs?: number;
  /** The name of the grid; default: the one without a name. */
  readonly grid?: string;
}

/** What is known of one peer in a result. */
export interface PeerHealth {
  readonly state: PeerState;
  /** Round trip in milliseconds, with `timeoutMs`. */
  readonly pingMs?: number;
  /** Why a connected peer counts as away. */
  readonly error?: string;
}

/**
 * A health indicator for Terminus: `() => this.grid.isHealthy('grid', { peers: 'all' })`. Provide it in your module.
 */
@Injectable()
export class GridHealthIndicator {
  constructor(
    @Inject(HealthIndicatorService) private readonly health: HealthIndicatorService,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
  ) {}

  /**
   * `up` while the peers that are asked for are connected, else `down`; with each peer's state. What is looked at is
   * the state of now.
   * @throws GridError INVALID_ARGUMENT for options that cannot be fulfilled; Nest's error for an unknown grid.
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: GridHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const grid = this.modules.get<GridManager>(getGridToken(options.grid), { strict: false });
    const { asked, needed } = demandOf(grid, options.peers ?? 'any');
    verifyTimeout(options.timeoutMs);
    const found = await Promise.all(asked.map((peer) => healthOf(peer, grid, options.timeoutMs)));
    const well = found.filter(({ state, error }) => state === 'connected' && error === undefined).length;
    const peers = Object.fromEntries(asked.map((peer, index) => [peer.origin, found[index]!]));
    const session = this.health.check(key);
    return well >= needed ? session.up({ peers }) : session.down({ peers, connected: well, needed });
  }
}

/** The peers to look at, and how many of them must be well. */
function demandOf(
  grid: GridManager,
  peers: 'all' | 'any' | number | readonly string[],
): { asked: readonly GridPeer[]; needed: number } {
  const all = grid.peers;
  if (peers === 'all') return { asked: all, needed: all.length };
  if (peers === 'any') return { asked: all, needed: Math.min(1, all.length) };
  if (typeof peers !== 'number') {
    const asked = peers.map((origin) => grid.peer(origin));
    return { asked, needed: asked.length };
  }
  if (Number.isSafeInteger(peers) && peers >= 0 && peers <= all.length) return { asked: all, needed: peers };
  throw new GridError(
    'INVALID_ARGUMENT',
    `peers must be an integer from 0 to ${all.length} (the other hosts), not ${peers}`,
  );
}

/** By a time that is none every peer would be late, and each host ill. */
function verifyTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs > 0)) return;
  const text = `timeoutMs must be a number of milliseconds above 0, not ${timeoutMs}`;
  throw new GridError('INVALID_ARGUMENT', text);
}

async function healthOf(peer: GridPeer, grid: GridManager, timeoutMs: number | undefined): Promise<PeerHealth> {
  const { state } = peer;
  if (state !== 'connected' || timeoutMs === undefined) return { state };
  try {
    return { state, pingMs: await within(timeoutMs, grid, peer.ping()) };
  } catch (thrown) {
    return { state: peer.state, error: toGridError(thrown).message };
  }
}

function within(timeoutMs: number, { options: { clock } }: GridManager, ping: Promise<number>): Promise<number> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new GridError('DEADLINE_EXCEEDED', `no sign of life within ${timeoutMs} ms`));
    const timer = clock.setTimer(timeoutMs, late);
    ping.then(resolve, reject).finally(() => timer.cancel());
  });
}
