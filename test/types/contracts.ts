import { defineRequest, defineStream } from 'nestjs-grid';
import { z } from 'zod';

export interface Query {
  readonly key: string;
}
export interface Entry {
  readonly size: number;
}

export const Look = defineRequest<Query, Entry>({ id: 1, name: 'look' });
export const Ping = defineRequest<void, string>({ id: 2, name: 'ping' });
export const Walk = defineStream<Query, never, Entry>({ id: 3, name: 'walk' });
export const Upload = defineStream<Query, Uint8Array, number>({ id: 4, name: 'upload', inCapacity: 4 });
/** What goes in is a string, what comes out of the schema a Date. */
export const Since = defineRequest({
  id: 5,
  name: 'since',
  payload: z.string().transform((text) => new Date(text)),
  result: z.object({ days: z.number() }),
});
