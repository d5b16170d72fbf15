import { Module, type DynamicModule } from '@nestjs/common';
import { GridModule, type GridModuleOptions } from 'nestjs-grid';
import { LOCK_GRID, LOCK_ROUTE } from './contracts.js';
import { HttpModule } from './http/http.module.js';
import { localOrigin, type NodeConfig } from './node/node-config.js';
import { NodeModule } from './node/node.module.js';

/** What runs gets this long to end when a node stops; a stream that somebody reads slowly is cut then. */
const DRAIN_MS = 2_000;

/** One node. Two grids on one port: one for data, one for locks, so that neither waits for the other. */
@Module({})
export class AppModule {
  /** `more`: options of both grids, for tests that look at them or turn their clock. */
  static for(config: NodeConfig, more: Partial<GridModuleOptions> = {}): DynamicModule {
    const common: GridModuleOptions = {
      ...more,
      local: localOrigin(config),
      hosts: config.hosts,
      auth: { secret: config.secret },
      drainTimeoutMs: DRAIN_MS,
    };
    return {
      module: AppModule,
      imports: [
        NodeModule.for(config),
        GridModule.forRoot(common),
        GridModule.forRoot({ ...common, name: LOCK_GRID, route: LOCK_ROUTE }),
        HttpModule,
      ],
    };
  }
}
