import { map, Observable, range } from 'rxjs';
import { itemPayload } from '../payloads.js';

/** What a server of the grid answers, through Nest or without. */
export const Handler = { Echo: 60, Items: 61, PushedItems: 62, Idle: 63, ObservedItems: 64 } as const;

/** Messages of a stream that may be unacknowledged. */
export const CAPACITY = 64;

/** What the sources of this process have done so far. */
export const tally = {
  /** Messages, over all streams. */
  produced: 0,
  /** Idle streams that are open. */
  idle: 0,
};

/** A source that rests while nobody takes. */
export async function* generated(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) {
    tally.produced++;
    yield itemPayload(index);
  }
}

/** All messages at once, in the usual style of RxJS: for few of them. */
export function observed(count: number): Observable<Uint8Array> {
  return range(0, count).pipe(map(itemPayload));
}

/** Messages that come by themselves in one turn of the event loop. */
const BURST = 16;

/** A source that cannot rest. */
export function pushed(count: number): Observable<Uint8Array> {
  return new Observable((subscriber) => {
    let index = 0;
    const timer = setInterval(() => {
      for (let left = BURST; left > 0 && index < count && !subscriber.closed; left--) {
        tally.produced++;
        subscriber.next(itemPayload(index++));
      }
      if (index === count) subscriber.complete();
    }, 1);
    return () => clearInterval(timer);
  });
}

/** A source of nothing: the least that an open stream can cost its handler. */
export function idle(): Observable<never> {
  return new Observable(() => {
    tally.idle++;
    return () => tally.idle--;
  });
}
