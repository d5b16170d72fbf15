// What a handler throws has to be answered, whatever the log or the error itself does.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { concat, lastValueFrom, of, throwError, TimeoutError } from 'rxjs';
import { logText } from '../../lib/calls/index.js';
import { GridError, handled } from '../../lib/errors/index.js';
import { silentCalls, silentObserver } from '../../lib/observe/index.js';
import { Flag, Op, type Message } from '../../lib/wire/index.js';
import { muxPair } from '../mux/mux-pair.js';
import { init } from '../mux/streams.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

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
const sent: (typeof kinds)[number] = ['send()', () => lastValueFrom(line.caller.send(60))];
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

describe('what lets nobody look at it', () => {
  const blind = (): Error => {
    const { proxy, revoke } = Proxy.revocable(new Error('secret'), {});
    revoke();
    return proxy;
  };
  const nameless = (): Error => Object.defineProperty(new Error('secret'), 'name', { get: boom });
  const makers: [string, () => Error][] = [
    ['a revoked Proxy', blind],
    ['an error whose name throws', nameless],
  ];

  it.each(makers.flatMap(([what, make]) => cases.map((one) => [what, ...one, make] as const)))(
    '%s: a handler %s it, and is answered, logged and gives its place back: %s',
    async (_what, _how, _kind, run, call, make) => {
      line.handle(60, () => run(make()), { concurrency: 1 });
      for (let i = 0; i < 2; i++) {
        expect(await failure(call())).toMatchObject({ code: 'INTERNAL', message: 'Internal server error' });
      }
      expect(line.logged).toHaveLength(2);
    },
  );

  it.each(makers)('%s: the handler of an event that throws it gives its place back', async (_what, make) => {
    line.handle(60, () => Promise.reject(make()), { kind: 'event', concurrency: 1 });
    await line.caller.emit(60);
    await line.pair.settle();
    expect([line.table.runningEvents, line.logged.length]).toEqual([0, 1]);
  });

  it.each(makers)('%s: a signal that aborts with it cancels all of its calls', async (_what, make) => {
    line.handle(60, (_payload, { signal }) => new Promise((end) => signal.addEventListener('abort', end)));
    const cancel = new AbortController();
    const calls = [1, 2].map(() => failure(line.caller.request(60, undefined, { signal: cancel.signal })));
    await line.pair.settle();
    const reason = make();
    cancel.abort(reason);
    expect(await Promise.all(calls)).toMatchObject(Array(2).fill({ code: 'CANCELLED', message: 'context canceled' }));
    expect((await calls[0])!.cause).toBe(reason);
  });
});

describe('an errorMapper that ends its own call', () => {
  const tidying = async function* (): AsyncGenerator {
    try {
      yield 1n;
    } finally {
      await turn();
    }
  };
  const failing: [string, () => unknown][] = [
    ...handlers.map(([how, run]): [string, () => unknown] => [how, () => run(new Error('mine'))]),
    ['gives values, then fails', () => concat(of(1), throwError(() => new Error('mine')))],
    ['gives what cannot be sent, and tidies up', tidying],
  ];
  const ends: [string, () => void][] = [
    ['cuts the connection', () => line.pair.cut()],
    ['has the caller cancel', () => line.pair.b.receive(cancelOf(line.pair.aToB.delivered[0]!))],
  ];
  const cancelOf = (opening: Message): Message => {
    const rest = { seq: 0, deadlineMs: 0, handler: 0, flags: Flag.Crc, payload: undefined };
    return { ...rest, muxId: opening.muxId, op: Op.DisconnectServerMux };
  };
  const all = failing.flatMap(([how, run]) =>
    ends.flatMap(([end, act]) => [...kinds, sent].map(([kind, call]) => [how, end, kind, run, act, call] as const)),
  );

  it.each(all)('%s, %s, %s: it counts as ended once', async (_how, _end, _kind, run, act, call) => {
    let open = 0;
    const callsOf = () => ({ ...silentCalls, opened: () => void open++, ended: () => void open-- });
    line = gridLine({ observerB: { ...silentObserver, callsOf } });
    const hold = signalled();
    let runs = 0;
    const errorMapper = (): GridError => {
      act();
      return new GridError('ABORTED', 'mapped');
    };
    line.handle(60, () => (runs++ === 0 ? run() : hold.promise), {
      concurrency: 1,
      queue: 1,
      errorMapper,
    });
    // a cancel that nobody here sent: its caller waits on
    void handled(call());
    for (let times = 0; times < 3; times++) await line.pair.settle();
    expect([open, runs, line.pair.b.running]).toEqual([0, 1, 0]);
    // one at a time still, over all connections
    const next = muxPair({ clock: line.clock, handlersB: line.table.for(() => 'http://a:9000') });
    for (let calls = 0; calls < 2; calls++) next.a.openRequest(init(60), { onResponse() {}, onError() {} });
    await next.settle();
    expect(runs).toBe(2);
    hold.resolve();
    await next.settle();
    expect(next.b.running).toBe(0);
    next.cut();
    line.pair.cut();
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
  const long = new Error(`${'s'.repeat(10_000)}${'m'.repeat(1_000_000)}`);
  const shown = logText(long);
  expect(shown).toMatch(/^Error: s{4089} … \d+ characters left out … m+\n +at /);
  expect([shown.length < 8_300, shown.endsWith(long.stack!.slice(-100))]).toEqual([true, true]);
});

it('what is no native error has its name and its frames too', () => {
  expect(logText(new TimeoutError())).toMatch(/^TimeoutError: Timeout has occurred\n {4}at .*\n/);
  expect(logText(new DOMException('gone', 'AbortError'))).toMatch(/^AbortError: gone(\n {4}at .*)*$/);
  expect(logText({ name: 'Refused', message: 'by hand', stack: 'nowhere' })).toBe('Refused: by hand');
});

it('an object that is no error is told with what it holds, in one line and cut', () => {
  expect(logText({ code: 3, at: { line: 1 } })).toBe('an object was thrown: { code: 3, at: [Object] }');
  expect(logText({ message: 'by hand', code: 3 })).toBe('by hand');
  const long = logText(Array.from({ length: 20 }, (_, index) => `${index}\n`.repeat(99)));
  expect(long).toMatch(/^an object was thrown: \[ '0\\n' \+ .*…$/);
  expect(long.length).toBeLessThan(600);
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`key${index}`, index]));
  expect(logText(many)).toBe('an object was thrown: [object Object]');
  expect(logText(new Map(Object.entries(many)))).toBe('an object was thrown: [object Map]');
});

it('a thrown payload of 16 MiB is told by its begin, and its bytes are not counted', () => {
  expect(logText(Buffer.alloc(16 << 20))).toMatch(/^an object was thrown: <Buffer 00 00 [0 ]+ \.\.\. \d+ more bytes>$/);
  const sevens = Array.from({ length: 1 << 20 }, () => 7);
  expect(logText(sevens)).toMatch(/^an object was thrown: \[ 7, [7, ]+ \.\.\. \d+ more items \]$/);
  expect(logText(Object('s'.repeat(16 << 20)))).toBe('an object was thrown: [object String]');
});

it('the text of a GridError names its call; that of a peer is one line', () => {
  const facts = { peer: 'http://b:1', pattern: 'orders.get' };
  const own = new GridError('INVALID_ARGUMENT', 'mine', facts);
  expect(logText(own)).toBe(`INVALID_ARGUMENT (orders.get at http://b:1): ${own.stack}`);
  const remote = new GridError('NOT_FOUND', 'theirs\n\u001b[31mred', { ...facts, remote: true });
  expect(logText(remote)).toBe('NOT_FOUND (orders.get at http://b:1): theirs [31mred');
  expect(logText(new GridError('ABORTED', 'x', { remote: true }))).toBe('ABORTED: x');
});
