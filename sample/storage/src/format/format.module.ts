import { Module } from '@nestjs/common';
import { DiskModule } from '../disk/disk.module.js';
import { Deployment } from './deployment.js';

@Module({ imports: [DiskModule], providers: [Deployment], exports: [Deployment] })
export class FormatModule {}
