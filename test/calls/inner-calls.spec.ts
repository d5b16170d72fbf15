// Calls that a handler makes with its context as their `parent`: they end with it, and cost no AbortSignal.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { CallContext, ParentCall } from '../../lib/calls/index.js';
import type { GridError } from '../../lib/errors/index.js';
import { failure, lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((made) => (line = made));
afterEach(() => {
  jest.restoreAllMocks();
});

const SILENT = 61;

/** A handler that makes so many calls that are never answered; what they end with. */
function callsInside(
  count: number,
  parentOf: (context: CallContext) => ParentCall = (context) => context,
): Promise<GridError>[] {
  const inner: Promise<GridError>[] = [];
  line.handle(SILENT, () => new Promise(() => {}));
  line.handle(60, (_, context) => {
    const parent = parentOf(context);
    for (let index = 0; index < count; index++) inner.push(failure(line.caller.request(SILENT, index, { parent })));
    return new Promise(() => {});
  });
  return inner;
}

describe('calls inside of a handler', () => {
  it('end with it, in their order, and no AbortController was made', async () => {
    const made = jest.spyOn(globalThis, 'AbortController');
    const inner = callsInside(3);
    const outer = failure(line.caller.request(60, undefined, { timeoutMs: 100 }));
    await line.pair.settle();
    const over: number[] = [];
    inner.forEach((call, index) => void call.then(() => over.push(index)));
    line.clock.advance(100);
    await line.pair.settle();
    expect((await outer).code).toBe('DEADLINE_EXCEEDED');
    expect((await Promise.all(inner)).map(({ code }) => code)).toEqual(Array(3).fill('DEADLINE_EXCEEDED'));
    expect(over).toEqual([0, 1, 2]);
    expect(made).not.toHaveBeenCalled();
  });

  it('have the error of the call around them as their cause, as a signal would tell it', async () => {
    const causes: unknown[] = [];
    const inner = callsInside(1, (context) => {
      context.signal.addEventListener('abort', () => causes.push(context.signal.reason));
      return context;
    });
    const controller = new AbortController();
    const outer = failure(line.caller.request(60, undefined, { signal: controller.signal }));
    await line.pair.settle();
    controller.abort();
    await line.pair.settle();
    await outer;
    const [error] = await Promise.all(inner);
    expect(error).toMatchObject({ code: 'CANCELLED', notSent: false });
    expect(causes).toEqual([error!.cause]);
  });

  it('are not made once it was aborted', async () => {
    let context: CallContext | undefined;
    line.handle(60, (_, given) => ((context = given), new Promise(() => {})));
    line.handle(SILENT, () => new Promise(() => {}));
    const outer = failure(line.caller.request(60, undefined, { timeoutMs: 100 }));
    await line.pair.settle();
    // the handler listens to it, or nobody watches its time
    void context!.signal;
    line.clock.advance(100);
    await line.pair.settle();
    await outer;
    const error = await failure(line.caller.request(SILENT, undefined, { parent: context! }));
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: true });
  });

  it('that are over leave nothing at it: 1,000 one after the other', async () => {
    line.handle(62, () => 1);
    line.handle(60, async (_, context) => {
      for (let index = 0; index < 1_000; index++) await line.caller.request(62, index, { parent: context });
      // those that it would tell of an abort
      return (context as unknown as { inner: { length: number } }).inner.length;
    });
    await expect(line.caller.request(60)).resolves.toBe(0);
  });

  it('are cancelled by a signal of their own too, and by the context once where that is its signal', async () => {
    const controller = new AbortController();
    const both: Promise<GridError>[] = [];
    line.handle(SILENT, () => new Promise(() => {}));
    line.handle(60, (_, context) => {
      both.push(failure(line.caller.request(SILENT, 1, { parent: context, signal: controller.signal })));
      both.push(failure(line.caller.request(SILENT, 2, { parent: context, signal: context.signal })));
      return new Promise(() => {});
    });
    const outer = failure(line.caller.request(60, undefined, { timeoutMs: 100 }));
    await line.pair.settle();
    controller.abort();
    expect((await both[0]!).code).toBe('CANCELLED');
    line.clock.advance(100);
    await line.pair.settle();
    await outer;
    expect((await both[1]!).code).toBe('DEADLINE_EXCEEDED');
  });
});
