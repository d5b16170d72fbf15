import { Controller } from '@nestjs/common';
import { defineRequest, GridError, GridRequest } from 'nestjs-grid';

export const Reserve = defineRequest<{ sku: string; count: number }, number>({ id: 61, name: 'stock.reserve' });

@Controller()
export class StockController {
  private readonly stock = new Map([['lamp', 3]]);

  /** Answers how many are left. */
  @GridRequest(Reserve)
  reserve({ sku, count }: { sku: string; count: number }): number {
    const left = (this.stock.get(sku) ?? 0) - count;
    if (left < 0) throw new GridError('FAILED_PRECONDITION', `not enough of ${sku}`);
    this.stock.set(sku, left);
    return left;
  }
}
