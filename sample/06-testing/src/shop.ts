import { Injectable } from '@nestjs/common';
import { Grid, GridError, InjectGrid } from 'nestjs-grid';
import { Reserve } from './stock.controller.js';

@Injectable()
export class Shop {
  constructor(@InjectGrid() private readonly grid: Grid) {}

  /** Takes the first host that has it. */
  async buy(sku: string, count: number): Promise<string> {
    for (const peer of this.grid.peers) {
      try {
        const left = await peer.request(Reserve, { sku, count });
        return `${count} ${sku} from ${peer.origin}, ${left} left`;
      } catch (error) {
        // go on where it is safe: the host has too few, or the call never reached it
        if (!(error instanceof GridError) || !(error.code === 'FAILED_PRECONDITION' || error.notSent)) throw error;
      }
    }
    return `no host has ${count} ${sku}`;
  }
}
