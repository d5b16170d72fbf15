import { Module } from '@nestjs/common';
import { DiskModule } from '../disk/disk.module.js';
import { FormatModule } from '../format/format.module.js';
import { HealModule } from '../heal/heal.module.js';
import { LockModule } from '../lock/lock.module.js';
import { ObjectsModule } from '../objects/objects.module.js';
import { ObjectsController } from './objects.controller.js';
import { StatusController } from './status.controller.js';

@Module({
  imports: [DiskModule, FormatModule, HealModule, LockModule, ObjectsModule],
  controllers: [ObjectsController, StatusController],
})
export class HttpModule {}
