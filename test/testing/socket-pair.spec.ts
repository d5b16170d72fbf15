import { expect, it } from '@jest/globals';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { turn } from '../turn.js';

const listener = { onFrame() {}, onViolation() {}, onClose() {} };

it('every write is done, whatever becomes of the link: the memory of a frame is its sender’s again', async () => {
  const [a, b] = socketPair();
  a.listen(listener);
  b.listen({ ...listener, onFrame: () => b.cut() });
  const done: string[] = [];
  const send = (name: string): void => a.send(new Uint8Array(1), (error) => done.push(`${name}: ${error?.message}`));
  send('first');
  send('behind the cut');
  for (let hop = 0; hop < 3; hop++) await turn();
  expect(done).toEqual(['first: undefined', 'behind the cut: the socket is closed']);
});

it('also what is sent to an end that was dropped, and whose goodbye is not read', async () => {
  const [a, b] = socketPair();
  a.listen(listener);
  b.listen(listener);
  a.stall();
  b.terminate();
  for (let hop = 0; hop < 3; hop++) await turn();
  expect([a.closed, b.closed]).toEqual([false, true]);
  const done: (string | undefined)[] = [];
  a.send(new Uint8Array(1), (error) => done.push(error?.message));
  await turn();
  expect(done).toEqual(['the socket is closed']);
});
