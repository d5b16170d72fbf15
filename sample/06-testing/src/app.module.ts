import { Module, type DynamicModule } from '@nestjs/common';
import { GridModule } from 'nestjs-grid';
import { Shop } from './shop.js';
import { StockController } from './stock.controller.js';

@Module({})
export class AppModule {
  static at(local: string, hosts: readonly string[]): DynamicModule {
    const auth = { secret: process.env.GRID_SECRET ?? 'only for this sample, 32 bytes or more' };
    return {
      module: AppModule,
      imports: [GridModule.forRoot({ local, hosts, auth })],
      controllers: [StockController],
      providers: [Shop],
    };
  }
}
