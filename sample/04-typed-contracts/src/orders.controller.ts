import { Controller } from '@nestjs/common';
import { GridRequest, GridStream } from 'nestjs-grid';
import { CountOrders, PlaceOrder, State, WatchOrder } from './contracts.js';
import type { NewOrder, Receipt } from './contracts.js';

/** The compiler checks each method against its contract: the payload is its first parameter. */
@Controller()
export class OrdersController {
  private readonly orders: NewOrder[] = [];

  @GridRequest(PlaceOrder)
  place(order: NewOrder): Receipt {
    const number = this.orders.push(order);
    return { number, pieces: order.items.reduce((sum, { count }) => sum + count, 0) };
  }

  @GridStream(WatchOrder)
  async *watch(): AsyncGenerator<State> {
    yield* State.options;
  }

  @GridRequest(CountOrders)
  count(): number {
    return this.orders.length;
  }
}
