// Contracts made by another copy of the package, as in a monorepo with two versions of it: see pack.spec.ts.
import type { GridCall, GridPeer } from 'nestjs-grid';
import { Add, Sum } from './contracts/index.js';

export const add = (peer: GridPeer): Promise<number> => peer.request(Add, { a: 1, b: 2 });
export const sum = (peer: GridPeer): GridCall<number, number> => peer.stream(Sum, undefined, { input: [1, 2] });
// @ts-expect-error: the payload is of another type
export const text = (peer: GridPeer): Promise<number> => peer.request(Add, { a: '1', b: 2 });
// @ts-expect-error: the input is of another type
export const texts = (peer: GridPeer): GridCall<number, number> => peer.stream(Sum, undefined, { input: ['1'] });
