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
const dateOfText = z.string().transform((text) => new Date(text));
/** What goes in is a string, what comes out of the schema a Date. */
export const Since = defineRequest({
  id: 5,
  name: 'since',
  payload: dateOfText,
  result: z.object({ days: z.number() }),
});
/** Handlers give what goes into the schema of an answer; what comes out of it is for callers that check. */
export const Until = defineRequest({ id: 7, name: 'until', result: dateOfText });
export const Dates = defineStream({
  id: 8,
  name: 'dates',
  payload: z.object({ step: z.number().default(1) }),
  input: dateOfText,
  output: dateOfText,
  inCapacity: 4,
});
/** Schemas may be left out one by one. */
export const Note = defineRequest({ id: 9, name: 'note', payload: z.string() });
export const Count = defineRequest({ id: 10, name: 'count', result: z.number() });
export const Ticks = defineStream({ id: 11, name: 'ticks', output: z.number() });
export const Lines = defineStream({ id: 12, name: 'lines', payload: z.string(), input: z.string(), inCapacity: 4 });
