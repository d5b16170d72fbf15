import { Injectable } from '@nestjs/common';
import { Grid, InjectGrid } from 'nestjs-grid';
import type { Info } from './disk.controller.js';

@Injectable()
export class Inventory {
  constructor(@InjectGrid() private readonly grid: Grid) {}

  /** Asks all other hosts. */
  async look(): Promise<void> {
    for (const peer of this.grid.peers) {
      await peer.waitForConnect();
      const info = await peer.request<Info>(60, { disk: 2 }, { timeoutMs: 5_000 });
      console.log(`${this.grid.local}: ${peer.origin} has ${info.free} free, as it told ${info.asked}`);
      for await (const name of peer.stream<string>(61, { bucket: 'photos' })) {
        console.log(`${this.grid.local}: ${peer.origin} has ${name}`);
      }
    }
  }
}
