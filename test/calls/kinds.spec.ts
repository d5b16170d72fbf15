import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, Observable, of, toArray } from 'rxjs';
import { Op } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { failure, gridLine, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

const sendAll = (id: number): Promise<unknown[]> => lastValueFrom(line.caller.send(id).pipe(toArray()));
const answeredBy = (): string => (line.pair.bToA.delivered.some(({ op }) => op === Op.AckMux) ? 'stream' : 'response');

describe('a request that takes a stream too', () => {
  const cases: Array<[string, () => unknown, unknown[], 'response' | 'stream']> = [
    ['a value', () => 1, [1], 'response'],
    ['nothing', () => undefined, [undefined], 'response'],
    ['a Promise', () => Promise.resolve(1), [1], 'response'],
    ['an Observable of one value', () => of(1), [1], 'response'],
    ['an empty Observable', () => of(), [undefined], 'response'],
    ['an Observable of three', () => of(1, 2, 3), [1, 2, 3], 'stream'],
    [
      'a generator of one',
      async function* () {
        yield 1;
      },
      [1],
      'response',
    ],
    [
      'a generator of two',
      async function* () {
        yield 1;
        yield 2;
      },
      [1, 2],
      'stream',
    ],
    ['an empty generator', async function* () {}, [undefined], 'response'],
    [
      'an Observable of one generator',
      () =>
        of(
          (async function* () {
            yield 1;
            yield 2;
          })(),
        ),
      [1, 2],
      'stream',
    ],
    [
      'a generator that takes its time',
      async function* () {
        yield 1;
        await turn();
        await turn();
      },
      [1],
      'stream',
    ],
    [
      'a value that takes its time, once',
      async () => {
        await turn();
        await turn();
        return 1;
      },
      [1],
      'response',
    ],
  ];

  it.each(cases)('%s', async (_name, run, expected, by) => {
    line.handle(60, run);
    await expect(sendAll(60)).resolves.toEqual(expected);
    expect(answeredBy()).toBe(by);
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
  });

  it('reaches a handler that is a stream only', async () => {
    line.handle(60, () => of(1, 2), { kind: 'stream' });
    await expect(sendAll(60)).resolves.toEqual([1, 2]);
  });

  it('gets the value that came before an error', async () => {
    line.handle(
      60,
      () =>
        new Observable((subscriber) => {
          subscriber.next(1);
          subscriber.error(new Error('x'));
        }),
    );
    const seen: unknown[] = [];
    const ended = signalled<unknown>();
    line.caller.send(60).subscribe({ next: (value) => seen.push(value), error: ended.resolve });
    expect(await ended.promise).toMatchObject({ message: 'Internal server error' });
    expect(seen).toEqual([1]);
  });

  it('gets an error alone as an error answer', async () => {
    line.handle(60, async () => {
      throw new Error('x');
    });
    expect((await failure(sendAll(60))).message).toBe('Internal server error');
    expect(answeredBy()).toBe('response');
  });

  it('never pulls further than a credit of one', async () => {
    let pulled = 0;
    line.handle(
      60,
      async function* () {
        for (;;) yield pulled++;
      },
      { outCapacity: 1 },
    );
    line.pair.bToA.hold();
    const subscription = line.caller.send(60).subscribe();
    await line.pair.settle();
    expect(pulled).toBe(1);
    subscription.unsubscribe();
    line.pair.bToA.release();
    await line.pair.settle();
  });

  it('is plain towards a peer without the extension: a second value is an error', async () => {
    line = gridLine({ extensions: [] });
    line.handle(60, () => of(1, 2));
    line.handle(61, () => of(1));
    expect((await failure(sendAll(60))).message).toBe('streams: call stream()');
    await expect(sendAll(61)).resolves.toEqual([1]);
  });

  it('that is cancelled while its first value is held leaves nothing behind', async () => {
    let torn = false;
    line.handle(
      60,
      () =>
        new Observable((subscriber) => {
          subscriber.next(1);
          return () => {
            torn = true;
          };
        }),
    );
    const subscription = line.caller.send(60).subscribe();
    queueMicrotask(() => queueMicrotask(() => subscription.unsubscribe()));
    await line.pair.settle();
    expect(torn).toBe(true);
    expect(line.pair.b.running).toBe(0);
  });
});
