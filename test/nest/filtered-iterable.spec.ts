import { describe, expect, it } from '@jest/globals';
import { defer, NEVER } from 'rxjs';
import { FilteredIterable } from '../../lib/nest/filtered-iterable.js';
import { turn } from '../turn.js';

async function* failing(): AsyncGenerator<number> {
  yield 1;
  throw new Error('broken');
}

describe('FilteredIterable', () => {
  it('what a filter gives to a consumer that has gone meanwhile is not begun', async () => {
    let answer!: (given: unknown) => void;
    const values = new FilteredIterable(failing(), () => new Promise((resolve) => (answer = resolve)));
    const iterator = values[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    const next = iterator.next();
    // the filter is asked once the generator has failed
    await turn();
    await iterator.return!();
    let subscribed = false;
    answer(defer(() => ((subscribed = true), NEVER)));
    expect(await next).toEqual({ done: true, value: undefined });
    expect(subscribed).toBe(false);
  });
});
