import { expect, it } from '@jest/globals';
import { handled } from '../../lib/errors/index.js';
import { turn } from '../turn.js';

// jest fails a test in whose time a rejection is left unhandled

it('a rejection that nobody awaits is no unhandled one', async () => {
  void handled(Promise.reject(new Error('late')));
  await turn();
});

it('who awaits it gets the rejection', async () => {
  const late = new Error('late');
  const marked = handled(Promise.reject(late));
  await turn();
  await expect(marked).rejects.toBe(late);
});

it('a promise stays itself; what only has a then() becomes one', async () => {
  const promise = Promise.resolve(1);
  expect(handled(promise)).toBe(promise);
  const thenable = { then: (_: unknown, reject: (error: Error) => void) => reject(new Error('its own')) };
  await expect(handled(thenable as unknown as PromiseLike<never>)).rejects.toThrow('its own');
});
