// What a handler throws has to be answered, whatever the log or the error itself does.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { throwError } from 'rxjs';
import { logText } from '../../lib/calls/index.js';
import { collect, failure, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;

beforeEach(() => {
  line = gridLine();
});
afterEach(async () => {
  await line.pair.settle();
  expect([line.pair.aborted, line.pair.a.outgoing, line.pair.b.running]).toEqual([undefined, 0, 0]);
  line.pair.cut();
  expect(line.clock.timers).toBe(0);
});

const boom = (): never => {
  throw new Error('of the log');
};
const odd = (): Error => Object.defineProperty(new Error('secret'), 'stack', { get: boom });

const raise = (thrown: Error): never => {
  throw thrown;
};

const handlers: [string, (thrown: Error) => unknown][] = [
  ['throws', (thrown) => raise(thrown)],
  ['rejects', (thrown) => Promise.reject(thrown)],
  [
    'gives a generator that throws',
    async function* (thrown) {
      yield raise(thrown);
    },
  ],
  ['gives an Observable that fails', (thrown) => throwError(() => thrown)],
];
const kinds: [string, () => Promise<unknown>][] = [
  ['request()', () => line.caller.request(60)],
  ['stream()', () => collect(line.caller.stream(60))],
];
const cases = handlers.flatMap(([how, run]) => kinds.map(([kind, call]) => [how, kind, run, call] as const));

describe('a handler that', () => {
  it.each(cases)('%s is answered and gives its place back where the log fails: %s', async (_how, _kind, run, call) => {
    line.logged.push = boom;
    line.handle(60, () => run(new Error('secret')), { concurrency: 1 });
    for (let i = 0; i < 2; i++) {
      expect(await failure(call())).toMatchObject({ code: 'INTERNAL', message: 'Internal server error', remote: true });
    }
  });

  it.each(cases)('%s what has no stack to read is answered: %s', async (_how, _kind, run, call) => {
    line.handle(60, () => run(odd()), { concurrency: 1 });
    for (let i = 0; i < 2; i++) {
      expect(await failure(call())).toMatchObject({ code: 'INTERNAL', message: 'Internal server error', remote: true });
    }
    expect(line.logged).toEqual(['handler 60: secret', 'handler 60: secret']);
  });
});

it('an event whose failure cannot be logged gives its place back', async () => {
  line.logged.push = boom;
  let ran = 0;
  const run = (): never => {
    ran++;
    throw odd();
  };
  line.handle(60, run, { kind: 'event', concurrency: 1, queue: 1 });
  await line.caller.emit(60);
  await line.caller.emit(60);
  await line.pair.settle();
  expect([ran, line.table.runningEvents]).toEqual([2, 0]);
});

it('a hook that fails while the log does is no matter of the call', async () => {
  line.logged.push = boom;
  line.table.intercept((_call, run) => {
    run();
    return boom;
  });
  line.handle(60, () => 1, { concurrency: 1 });
  await expect(line.caller.request(60)).resolves.toBe(1);
  await expect(line.caller.request(60)).resolves.toBe(1);
});

it('the text for the log is the stack, or the message where there is none that can be read', () => {
  const error = new Error('mine');
  expect(logText(error)).toBe(error.stack);
  expect(logText(odd())).toBe('secret');
  expect(logText(Object.assign(new Error('mine'), { stack: 5 }))).toBe('mine');
  expect(logText('text')).toBe('text');
});
