import type { INestApplication } from '@nestjs/common';
import type { Grid, GridPeer } from 'nestjs-grid';
import { freeHosts } from '../ports.js';
import { startApp, type LogBook, type TestAppOptions } from './test-app.js';

export interface GridPair {
  /** The app under test. */
  readonly app: INestApplication;
  readonly log: LogBook;
  readonly grid: Grid;
  /** The other app's grid, which calls. */
  readonly caller: Grid;
  /** The app under test, seen from the caller. */
  readonly peer: GridPeer;
  close(): Promise<void>;
}

/** The app under test and one more that calls it, connected. */
export async function gridPair(options: TestAppOptions = {}, callerOptions: TestAppOptions = {}): Promise<GridPair> {
  const hosts = await freeHosts(2);
  const [local, other] = hosts as [string, string];
  const { app, log, grid } = await startApp(local, hosts, options);
  const { app: callerApp, grid: caller } = await startApp(other, hosts, callerOptions);
  const peer = caller.peer(local);
  await peer.waitForConnect({ timeoutMs: 30_000 });
  // the end that dialed is connected a moment after the one that let it in
  await grid.peer(other).waitForConnect({ timeoutMs: 30_000 });
  return {
    app,
    log,
    grid,
    caller,
    peer,
    close: async () => void (await Promise.all([app.close(), callerApp.close()])),
  };
}
