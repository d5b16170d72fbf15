import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { FORMAT_PATH } from '../format/format.js';
import { NODE_CONFIG, type NodeConfig } from '../node/node-config.js';
import { LockController } from './lock.controller.js';
import { Locks } from './locks.js';
import { LockTable } from './lock-table.js';

@Module({
  controllers: [LockController],
  providers: [
    {
      provide: LockTable,
      inject: [NODE_CONFIG],
      useFactory: ({ lockTtlMs, dataFolder }: NodeConfig) => {
        const ranBefore = existsSync(join(dataFolder, FORMAT_PATH));
        return new LockTable(lockTtlMs, undefined, ranBefore ? lockTtlMs : 0);
      },
    },
    Locks,
  ],
  exports: [Locks],
})
export class LockModule implements OnModuleInit, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly table: LockTable,
    @Inject(NODE_CONFIG) private readonly config: NodeConfig,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => this.table.sweep(), this.config.lockTtlMs).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }
}
