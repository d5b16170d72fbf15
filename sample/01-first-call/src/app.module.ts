import { Module } from '@nestjs/common';
import { GridModule } from 'nestjs-grid';
import { DiskController } from './disk.controller.js';
import { Inventory } from './inventory.js';

@Module({
  imports: [
    GridModule.forRoot({
      local: process.env.GRID_LOCAL, // this process's own origin: http://127.0.0.1:9001
      hosts: [process.env.GRID_HOSTS!], // all origins, the same everywhere: http://127.0.0.1:{9001...9002}
      auth: { secret: process.env.GRID_SECRET }, // at least 32 bytes, the same everywhere
    }),
  ],
  controllers: [DiskController],
  providers: [Inventory],
})
export class AppModule {}
