import { Module, type DynamicModule } from '@nestjs/common';
import { GridModule } from 'nestjs-grid';
import { BulkController } from './bulk.controller.js';
import { LockController } from './lock.controller.js';

const port = Number(process.env.PORT ?? 9001);
export const hosts = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`] as const;

/** Two grids on one port, each with its own route and so with its own connections. */
@Module({})
export class AppModule {
  static at(local: string): DynamicModule {
    const auth = { secret: process.env.GRID_SECRET ?? 'only for this sample, 32 bytes or more' };
    return {
      module: AppModule,
      imports: [
        GridModule.forRoot({ local, hosts, auth }),
        GridModule.forRoot({ local, hosts, auth, name: 'locks', route: '/grid/locks' }),
      ],
      controllers: [BulkController, LockController],
    };
  }
}
