import { describe, expect, it } from '@jest/globals';
import { Observable, of, Subject } from 'rxjs';
import type { CallContext } from '../../lib/calls/index.js';
import { collect, failure, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

describe('registering', () => {
  it('refuses a second handler of one pattern, naming it and both methods', () => {
    line.handle(60, () => 1, { owner: 'A.one' });
    expect(() => line.handle(60, () => 2, { owner: 'B.two' })).toThrow('two handlers for 60 (A.one and B.two)');
    line.handle({ id: 60, subroute: 'disk1' }, () => 1);
    expect(() => line.handle({ id: 60, subroute: 'disk1' }, () => 1)).toThrow('two handlers for 60/disk1');
    line.handle({ cmd: 'sum', a: 1 }, () => 1);
    expect(() => line.handle({ a: 1, cmd: 'sum' }, () => 1)).toThrow('two handlers for {"a":1,"cmd":"sum"}');
    expect(line.table.size).toBe(3);
  });

  it('refuses a pattern that is both event and message', () => {
    line.handle(60, () => 1, { kind: 'event' });
    expect(() => line.handle(60, () => 1)).toThrow('as an event and as a message');
    line.handle(61, () => 1);
    expect(() => line.handle(61, () => 1, { kind: 'event' })).toThrow('as an event and as a message');
  });

  it('refuses IDs and numbers out of range', () => {
    const route = { subroute: undefined, name: 'x' };
    for (const handler of [0, -1, 1.5, 254, 255, 256, NaN]) {
      expect(() => line.handle(60, () => 1, { route: { ...route, handler } })).toThrow(
        'must be an integer from 1 to 253',
      );
    }
    for (const wrong of [
      { inCapacity: -1 },
      { inCapacity: 2 ** 32 },
      { outCapacity: 0 },
      { outCapacity: 2 ** 32 },
      { outBuffer: 0.5 },
      { concurrency: 0 },
      { queue: -1 },
    ]) {
      expect(() => line.handle(60, () => 1, wrong)).toThrow(Object.keys(wrong)[0]);
    }
    expect(line.table.size).toBe(0);
  });

  it.each<[string, object, string]>([
    ['a number', { concurrency: 0 }, 'concurrency of handler 60 is 0; it must be an integer of at least 1'],
    ['a queue without concurrency', { queue: 5 }, 'queue of handler 60 is 5; it must be given with concurrency'],
    ['a capacity', { outCapacity: 2 ** 32 }, 'outCapacity of handler 60 is 4294967296; it must be an integer from 1'],
    ['a codec', { codec: 'json' }, "codec of handler 60 is 'json'; it must be an object with encode and decode"],
    ['half a codec', { codec: { encode: () => '' } }, 'codec of handler 60 is { encode: [Function: encode] }; it must'],
    ['a kind', { kind: 'req' }, "kind of handler 60 is 'req'; it must be one of request, stream, both, event"],
    ['no function', { run: undefined }, 'the function of handler 60 is undefined; it must be a function of payload'],
  ])('refuses %s that is none, naming the method', (_, wrong, text) => {
    expect(() => line.handle(60, () => 1, wrong)).toThrow(text);
    expect(() => line.handle(60, () => 1, { ...wrong, owner: 'Disk.info' })).toThrow(`Disk.info: ${text}`);
    expect(line.table.size).toBe(0);
  });

  it('takes the largest capacities that travel', async () => {
    const largest = { inCapacity: 2 ** 32 - 1, outCapacity: 2 ** 32 - 1 };
    line.handle(60, (_payload, { input }) => collect(input), largest);
    expect(await collect(line.caller.stream(60, undefined, { ...largest, input: [1, 2] }))).toEqual([[1, 2]]);
  });

  it('refuses an interceptor of handlers that is no function', () => {
    const text = 'interceptHandlers: the interceptor is 5; it must be a function';
    expect(() => line.table.intercept(5 as never)).toThrow(text);
  });

  it('gives a function that removes; what runs goes on', async () => {
    const answer = signalled<string>();
    const remove = line.handle(60, () => answer.promise);
    const running = line.caller.request(60);
    await line.pair.settle();
    remove();
    expect((await failure(line.caller.request(60))).code).toBe('UNIMPLEMENTED');
    answer.resolve('still');
    await expect(running).resolves.toBe('still');
    line.handle(60, () => 'new');
    remove();
    await expect(line.caller.request(60)).resolves.toBe('new');
  });
});

describe('concurrency', () => {
  it('lets so many run, so many wait, and refuses the others before anything runs', async () => {
    const answers: Array<(value: number) => void> = [];
    line.handle(60, () => new Promise((resolve) => answers.push(resolve)), { concurrency: 2, queue: 1 });
    const calls = [1, 2, 3].map(() => line.caller.request(60));
    await line.pair.settle();
    expect(answers).toHaveLength(2);
    const refused = await failure(line.caller.request(60));
    expect(refused).toMatchObject({ notSent: true, message: 'handler 60 is busy: concurrency 2, queue 1' });
    expect((await failure(collect(line.caller.stream(60)))).notSent).toBe(true);
    answers[0]!(1);
    await line.pair.settle();
    expect(answers).toHaveLength(3);
    answers[1]!(2);
    answers[2]!(3);
    await expect(Promise.all(calls)).resolves.toEqual([1, 2, 3]);
  });

  it('a call that is cancelled while it waits never runs', async () => {
    let ran = 0;
    const end = signalled();
    line.handle(
      60,
      () => {
        ran++;
        return end.promise;
      },
      { concurrency: 1, queue: 5 },
    );
    const first = line.caller.request(60);
    const cancel = new AbortController();
    const second = failure(line.caller.request(60, undefined, { signal: cancel.signal }));
    const stream = line.caller.stream(60);
    await line.pair.settle();
    cancel.abort();
    stream.cancel();
    expect((await second).code).toBe('CANCELLED');
    await line.pair.settle();
    expect(line.pair.b.running).toBe(1);
    end.resolve();
    await first;
    await line.caller.request(60);
    expect(ran).toBe(2);
  });

  it('counts a generator until it has ended', async () => {
    line.handle(
      60,
      async function* () {
        yield 1;
        yield 2;
      },
      { concurrency: 1 },
    );
    const first = line.caller.stream(60);
    await line.pair.settle();
    first.cancel();
    await line.pair.settle();
    await expect(collect(line.caller.stream(60))).resolves.toEqual([1, 2]);
  });
});

describe('an event', () => {
  it('is answered on receipt, then all its handlers run; what they throw is logged', async () => {
    const end = signalled();
    const seen: unknown[] = [];
    const took = (payload: unknown): void => {
      seen.push(payload);
      (payload as { a: number }).a++;
    };
    line.handle(
      60,
      async (payload) => {
        took(payload);
        await end.promise;
      },
      { kind: 'event' },
    );
    line.handle(
      60,
      (payload) => {
        took(payload);
        throw new Error('mine');
      },
      { kind: 'event' },
    );
    line.handle(
      60,
      async function* (payload) {
        took(payload);
        yield 1;
        throw new Error('theirs');
      },
      { kind: 'event' },
    );
    line.handle(
      60,
      (payload) => {
        took(payload);
        return of(1, 2);
      },
      { kind: 'event' },
    );
    await expect(line.caller.emit(60, { a: 1 })).resolves.toBeUndefined();
    expect(seen).toEqual([{ a: 2 }, { a: 2 }, { a: 2 }, { a: 2 }]);
    await line.pair.settle();
    expect(line.logged).toHaveLength(2);
    expect(line.logged.join()).toMatch(/event 60: .*mine[^]*event 60: .*theirs/);
    expect([line.pair.b.incoming, line.pair.b.running]).toEqual([0, 1]);
    expect(line.table.runningEvents).toBe(1);
    end.resolve();
    await line.pair.settle();
    expect(line.table.runningEvents).toBe(0);
  });

  it('is not reached by deadline or loss, and its generator and Observable are run to the end', async () => {
    let context: CallContext | undefined;
    const values = new Subject<number>();
    line.handle(
      60,
      (_payload, given) => {
        context = given;
        return values;
      },
      { kind: 'event' },
    );
    await line.caller.emit(60, 1, { timeoutMs: 5 });
    line.clock.advance(10);
    line.pair.cut();
    expect(context!.signal.aborted).toBe(false);
    expect(context!.deadline).toBeUndefined();
    expect(values.observed).toBe(true);
    values.complete();
    expect(line.table.runningEvents).toBe(0);
  });

  it('where its Observable fails the generator that it gave is ended, and it runs until that is done', async () => {
    const cleaned = signalled();
    const generator = async function* (fail: () => void): AsyncGenerator<number> {
      try {
        yield 1;
        fail();
        yield 2;
      } finally {
        await cleaned.promise;
      }
    };
    const failing = new Observable((subscriber) => {
      subscriber.next(generator(() => subscriber.error(new Error('mine'))));
    });
    line.handle(60, () => failing, { kind: 'event' });
    await line.caller.emit(60);
    await line.pair.settle();
    expect([line.table.runningEvents, line.pair.b.running]).toEqual([1, 1]);
    cleaned.resolve();
    await line.pair.settle();
    expect([line.table.runningEvents, line.pair.b.running]).toEqual([0, 0]);
    expect(line.logged.join()).toMatch(/event 60: .*mine/);
  });

  it('is a request too, and answers undefined; one that cannot be decoded is refused', async () => {
    line.handle(60, () => 5, { kind: 'event' });
    await expect(line.caller.request(60, 1)).resolves.toBeUndefined();
    const codec = { encode: () => Buffer.from('{'), decode: (): unknown => undefined };
    expect((await failure(line.caller.emit(60, 1, { codec }))).message).toContain('cannot be decoded');
    expect((await failure(collect(line.caller.stream(60)))).code).toBe('UNIMPLEMENTED');
  });

  it('handlers are removed one by one', async () => {
    const seen: number[] = [];
    const removeOne = line.handle(
      60,
      () => {
        seen.push(1);
      },
      { kind: 'event' },
    );
    const removeTwo = line.handle(
      60,
      () => {
        seen.push(2);
      },
      { kind: 'event' },
    );
    removeOne();
    await line.caller.emit(60);
    expect(seen).toEqual([2]);
    removeTwo();
    removeTwo();
    expect((await failure(line.caller.emit(60))).code).toBe('UNIMPLEMENTED');
    expect(line.table.size).toBe(0);
  });

  it('has its places too: past them it is refused before the answer', async () => {
    const end = signalled();
    line.handle(60, () => end.promise, { kind: 'event', concurrency: 1, queue: 1 });
    await line.caller.emit(60);
    await line.caller.emit(60);
    expect(line.table.runningEvents).toBe(2);
    expect((await failure(line.caller.emit(60))).message).toContain('is busy');
    end.resolve();
    await line.pair.settle();
    expect(line.table.runningEvents).toBe(0);
  });

  it('has one number of places for all of its handlers: none of them asks for another', () => {
    const add = (id: number, more: object): unknown => line.handle(id, () => 1, { kind: 'event', ...more });
    add(60, {});
    expect(() => add(60, { concurrency: 1, owner: 'Mail.send' })).toThrow(
      'Mail.send: concurrency of handler 60 is 1; it must be that of the first handler of its event, which is without',
    );
    add(61, { concurrency: 2, queue: 3 });
    add(61, { concurrency: 2, queue: 3 });
    add(61, {});
    for (const other of [{ concurrency: 1, queue: 3 }, { concurrency: 2 }]) {
      expect(() => add(61, other)).toThrow('which is 2 and queue 3');
    }
  });
});
