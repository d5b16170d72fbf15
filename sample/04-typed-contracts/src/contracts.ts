import { defineRequest, defineStream } from 'nestjs-grid';
import { z } from 'zod';

// one file for both ends: in a real project a package of its own

export const NewOrder = z.object({
  customer: z.string().min(1),
  items: z.array(z.object({ sku: z.string(), count: z.number().int().positive() })).min(1),
});
export type NewOrder = z.infer<typeof NewOrder>;

export const Receipt = z.object({ number: z.number(), pieces: z.number() });
export type Receipt = z.infer<typeof Receipt>;

export const State = z.enum(['packed', 'sent', 'delivered']);
export type State = z.infer<typeof State>;

/** One answer. The schemas give the types; the payload is checked before the handler runs. */
export const PlaceOrder = defineRequest({ id: 31, name: 'order.place', payload: NewOrder, result: Receipt });

/** A stream to the caller. */
export const WatchOrder = defineStream({ id: 32, name: 'order.watch', payload: z.number(), output: State });

/** Without schemas: the types alone, nothing is checked at run time. */
export const CountOrders = defineRequest<void, number>({ id: 33, name: 'order.count' });
