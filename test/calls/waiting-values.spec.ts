import { expect, test } from '@jest/globals';
import { WaitingValues } from '../../lib/calls/waiting-values.js';
import { PeerLoad } from '../../lib/mux/index.js';

const small = (): Uint8Array => new Uint8Array(32_768).subarray(0, 1);
const memories = (values: WaitingValues): number[] =>
  Array.from({ length: values.length }, () => values.shift()!.buffer.byteLength);

test('many that wait for one peer do not keep the memory that they were written into, a few may', () => {
  const { unsent } = new PeerLoad(1e6);
  const streams = Array.from({ length: 600 }, () => new WaitingValues(unsent));
  for (const values of [...streams, ...streams]) expect(values.add(small())).toBeUndefined();
  expect(streams.map(memories).flat().filter((bytes) => bytes > 1)).toHaveLength(1_024);
  // they are gone, in both ways
  for (const values of streams) for (let i = 0; i < 2; i++) values.add(small());
  for (const values of streams) values.drop();
  const last = new WaitingValues(unsent);
  last.add(small());
  expect(memories(last)).toEqual([32_768]);
});

test('what this host sends of its own will has no account', () => {
  const values = new WaitingValues(undefined);
  for (let i = 0; i < 2_000; i++) expect(values.add(small())).toBeUndefined();
  expect(new Set(memories(values))).toEqual(new Set([32_768]));
});

test('the first one is taken whatever else waits, the next one is not', () => {
  const { unsent } = new PeerLoad(100);
  const [one, other] = [new WaitingValues(unsent), new WaitingValues(unsent)];
  expect(one.add(new Uint8Array(50))).toBeUndefined();
  expect(other.add(new Uint8Array(50))).toBeUndefined();
  expect(other.add(new Uint8Array(50))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'limit' });
  expect([one.length, other.length]).toEqual([1, 1]);
});
