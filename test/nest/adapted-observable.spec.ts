import { expect, test } from '@jest/globals';
import {
  asapScheduler,
  catchError,
  concat,
  finalize,
  interval,
  lastValueFrom,
  map,
  NEVER,
  Observable,
  of,
  take,
  tap,
  throwError,
  toArray,
} from 'rxjs';
import { adaptedObservable, type Adaptation } from '../../lib/nest/adapted-observable.js';

const doubled: Adaptation = {
  value: (value) => Number(value) * 2,
  instead: (thrown) => of(`instead of ${String(thrown)}`),
};

const all = (source: Observable<unknown>): Promise<unknown[]> =>
  lastValueFrom(adaptedObservable(source, doubled).pipe(toArray()));

test('values and the end go on', async () => {
  expect(await all(of(1, 2, 3))).toEqual([2, 4, 6]);
});

test('what comes in place of an error follows the values before it, whether it comes at once or later', async () => {
  const error = throwError(() => 'trouble');
  expect(await all(concat(of(1, 2), error))).toEqual([2, 4, 'instead of trouble']);
  const late = interval(0).pipe(
    take(2),
    map((index) => index + 1),
  );
  expect(await all(concat(late, error))).toEqual([2, 4, 'instead of trouble']);
});

test.each<[string, (cleanUp: () => void) => Observable<unknown>]>([
  [
    'by what it added',
    (cleanUp) =>
      new Observable((subscriber) => {
        subscriber.add(cleanUp);
        subscriber.error('trouble');
      }),
  ],
  [
    'by what it gave back, though it failed at once',
    (cleanUp) =>
      new Observable((subscriber) => {
        subscriber.error('trouble');
        return cleanUp;
      }),
  ],
  ['by finalize', (cleanUp) => throwError(() => 'trouble').pipe(finalize(cleanUp))],
  ['by finalize, later', (cleanUp) => throwError(() => 'trouble', asapScheduler).pipe(finalize(cleanUp))],
])('a source that failed is cleaned up before other values come: %s', async (_, sourceWith) => {
  const events: unknown[] = [];
  const source = sourceWith(() => events.push('cleaned up'));
  await lastValueFrom(adaptedObservable(source, doubled).pipe(tap((value) => events.push(value))));
  expect(events).toEqual(['cleaned up', 'instead of trouble']);
});

test('who unsubscribes tears the source down, and what came in its place', () => {
  const events: string[] = [];
  const waiting = NEVER.pipe(finalize(() => events.push('source')));
  adaptedObservable(waiting, doubled).subscribe().unsubscribe();
  const instead = NEVER.pipe(finalize(() => events.push('instead')));
  const failing = throwError(() => 'trouble');
  adaptedObservable(failing, { ...doubled, instead: () => instead })
    .subscribe()
    .unsubscribe();
  expect(events).toEqual(['source', 'instead']);
});

test('a source that never rests is stopped by who has enough', async () => {
  let made = 0;
  const endless = new Observable((subscriber) => {
    while (!subscriber.closed) subscriber.next(made++);
  });
  const first = adaptedObservable(endless, doubled).pipe(take(3), toArray());
  expect(await lastValueFrom(first)).toEqual([0, 2, 4]);
  expect(made).toBe(3);
});

test('a value that cannot be looked at, and a cleanup that throws, are errors of the result', async () => {
  const adaptation: Adaptation = {
    ...doubled,
    value: () => {
      throw 'unreadable';
    },
  };
  const told = (source: Observable<unknown>, how: Adaptation): Promise<unknown> =>
    lastValueFrom(adaptedObservable(source, how).pipe(catchError((thrown) => of(String(thrown)))));
  expect(await told(of(1), adaptation)).toBe('unreadable');
  const dirty = new Observable((subscriber) => {
    subscriber.add(() => {
      throw 'dirty';
    });
    subscriber.error('trouble');
  });
  expect(await told(dirty, doubled)).toContain('dirty');
});
