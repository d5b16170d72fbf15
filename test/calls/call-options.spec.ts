import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import { failure, gridLine, HANDLER, type GridLine } from './grid-line.js';

let line: GridLine;
let ran: number;

beforeEach(() => {
  ran = 0;
  line = gridLine();
  line.handle(60, () => ++ran);
});

afterEach(async () => {
  line.pair.cut();
  await line.pair.settle();
  expect(ran).toBe(0);
  expect(line.clock.timers).toBe(0);
});

/** The error of each kind of call with these options. */
async function errors(of: GridLine, options: unknown): Promise<unknown[]> {
  const { caller } = of;
  const given = options as object;
  const streamed = (async () => void caller.stream(60, 1, given))();
  const calls = [caller.request(60, 1, given), caller.emit(60, 1, given), firstValueFrom(caller.send(60, 1, given))];
  return await Promise.all([...calls, streamed].map(failure));
}

const refused = (text: string): unknown =>
  expect.objectContaining({ code: 'INVALID_ARGUMENT', message: text, notSent: true, peer: HANDLER, pattern: '60' });

describe('options of a call that would do nothing are refused, and nothing is sent', () => {
  it.each<[string, unknown, string]>([
    ['a number in their place', 500, 'options is 500; it must be an object, like { timeoutMs: 500 }'],
    ['a number that is false', 0, 'options is 0; it must be an object, like { timeoutMs: 500 }'],
    ['a text', 'fast', "options is 'fast'; it must be an object, like { timeoutMs: 500 }"],
    ['null', null, 'options is null; it must be an object, like { timeoutMs: 500 }'],
    ['a time as text', { timeoutMs: '500' }, "timeoutMs must be a number of milliseconds, not '500'"],
    ['a time that is none', { timeoutMs: NaN }, 'timeoutMs must be a number of milliseconds, not NaN'],
    [
      'a Map of metadata',
      { metadata: new Map([['user', 'ann']]) },
      "metadata must be an object of strings, like { user: 'ann' }, not of class Map",
    ],
    [
      'Headers as metadata',
      { metadata: new Headers({ user: 'ann' }) },
      "metadata must be an object of strings, like { user: 'ann' }, not of class Headers",
    ],
    [
      'a list as metadata',
      { metadata: ['ann'] },
      "metadata must be an object of strings, like { user: 'ann' }, not of class Array",
    ],
    [
      'a text as metadata',
      { metadata: 'ann' },
      "metadata must be an object of strings, like { user: 'ann' }, not a string",
    ],
    ['null as metadata', { metadata: null }, "metadata must be an object of strings, like { user: 'ann' }, not null"],
  ])('%s', async (_, options, text) => {
    expect(await errors(line, options)).toEqual(Array.from({ length: 4 }, () => refused(text)));
  });

  it('past an interceptor too, which would spread them', async () => {
    const hooked = gridLine({}, { interceptors: [{ request: (call, next) => next({ ...call }) }] });
    const text = 'options is 500; it must be an object, like { timeoutMs: 500 }';
    expect(await errors(hooked, 500)).toEqual(Array.from({ length: 4 }, () => refused(text)));
    hooked.pair.cut();
  });

  it('a capacity as text', async () => {
    const given = { inCapacity: '5' } as object;
    expect(await failure((async () => void line.caller.stream(60, 1, given))())).toEqual(
      refused("inCapacity must be an integer from 0 to 4294967295, not '5'"),
    );
  });
});
