import { Module } from '@nestjs/common';
import { DiskModule } from '../disk/disk.module.js';
import { FormatModule } from '../format/format.module.js';
import { LockModule } from '../lock/lock.module.js';
import { Healer } from './healer.js';
import { HealSchedule } from './heal-schedule.js';

@Module({ imports: [DiskModule, FormatModule, LockModule], providers: [Healer, HealSchedule], exports: [HealSchedule] })
export class HealModule {}
