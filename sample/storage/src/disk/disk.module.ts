import { Module } from '@nestjs/common';
import { NODE_CONFIG, type NodeConfig } from '../node/node-config.js';
import { DiskController } from './disk.controller.js';
import { DiskGate } from './disk-gate.js';
import { Disks } from './disks.js';
import { LocalDisk } from './local-disk.js';

@Module({
  controllers: [DiskController],
  providers: [
    {
      provide: LocalDisk,
      inject: [NODE_CONFIG],
      useFactory: async (config: NodeConfig) => {
        const disk = new LocalDisk(config.node, config.dataFolder);
        await disk.prepare();
        return disk;
      },
    },
    DiskGate,
    Disks,
  ],
  exports: [DiskGate, Disks, LocalDisk],
})
export class DiskModule {}
