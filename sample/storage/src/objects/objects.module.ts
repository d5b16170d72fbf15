import { Module } from '@nestjs/common';
import { DiskModule } from '../disk/disk.module.js';
import { LockModule } from '../lock/lock.module.js';
import { Listing } from './listing.js';
import { ObjectStore } from './object-store.js';

@Module({ imports: [DiskModule, LockModule], providers: [Listing, ObjectStore], exports: [Listing, ObjectStore] })
export class ObjectsModule {}
