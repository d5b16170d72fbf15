// A package of contracts, which has a copy of nestjs-grid of its own: see ../two-copies.ts.
import { defineRequest, defineStream } from 'nestjs-grid';

export const Add = defineRequest<{ a: number; b: number }, number>({ id: 70, name: 'add' });
export const Sum = defineStream<void, number, number>({ id: 71, name: 'sum', inCapacity: 8 });
