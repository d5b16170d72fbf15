// One stream of both directions, its messages delivered one at a time: at each moment each side may end it, in each of
// its ways, and the same must hold every time.
import { describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import { defineStream, type GridCall } from '../../lib/calls/index.js';
import { gridLine, type GridLine } from './grid-line.js';

const Echo = defineStream<void, string, string>({ id: 65, name: 'echo', inCapacity: 2, outCapacity: 2 });
const WRITTEN = ['a', 'b', 'c', 'd', 'e'];
/** Messages of the whole call, both ways, with room for what an end adds. */
const MOMENTS = 30;

/** Everything that is known of one run. */
class Run {
  readonly line: GridLine = gridLine();
  readonly read: string[] = [];
  readonly cancel = new AbortController();
  readonly writes: Promise<unknown>[];
  readonly call: GridCall<string, string>;
  readonly reader: AsyncIterator<string>;
  /** How the reading ended. */
  readonly reading: Promise<GridError | 'clean'>;
  /** What the handler does with its next message. */
  order: 'echo' | 'throw' | 'return' = 'echo';
  handler: 'never ran' | 'runs' | 'ended' = 'never ran';
  /** How the handler saw its input end; undefined: it left first. */
  inputEnd: unknown;
  ended = false;

  constructor() {
    const run = this;
    this.line.handle(
      65,
      async function* (_payload, { input }) {
        run.handler = 'runs';
        try {
          for await (const message of input) {
            if (run.order === 'return') return;
            if (run.order === 'throw') throw new GridError('ABORTED', 'enough');
            yield message;
          }
          run.inputEnd = 'clean';
        } catch (error) {
          run.inputEnd ??= error;
          throw error;
        } finally {
          run.handler = 'ended';
        }
      },
      { kind: 'stream', inCapacity: 2, outCapacity: 2 },
    );
    this.line.pair.aToB.hold();
    this.line.pair.bToA.hold();
    this.call = this.line.caller.stream(Echo, undefined, {
      signal: this.cancel.signal,
      timeoutMs: 5_000,
    }) as GridCall<string, string>;
    this.writes = WRITTEN.map((text) => this.call.write(text));
    this.reader = this.call[Symbol.asyncIterator]();
    this.reading = this.readAll();
  }

  end(): void {
    this.ended = true;
    this.call.end();
  }

  /** Delivers so many messages, from the caller and from the handler in turn. */
  async deliver(count: number): Promise<void> {
    const { aToB, bToA, settle } = this.line.pair;
    for (let moment = 0; moment < count; moment++) {
      (moment % 2 === 0 ? aToB : bToA).step(1);
      await settle();
    }
  }

  /** All that is under way arrives. */
  async release(): Promise<void> {
    const { aToB, bToA, settle } = this.line.pair;
    aToB.release();
    bToA.release();
    for (let round = 0; round < 3; round++) await settle();
  }

  private async readAll(): Promise<GridError | 'clean'> {
    try {
      for (let step = await this.reader.next(); !step.done; step = await this.reader.next()) this.read.push(step.value);
      return 'clean';
    } catch (error) {
      return error as GridError;
    }
  }
}

interface Way {
  readonly name: string;
  readonly act: (run: Run) => unknown;
  /** Codes that the caller may read; by the time of the last moments the call may have ended well. */
  readonly codes: readonly string[];
}

const ways: Way[] = [
  { name: 'the caller cancels', act: ({ call }) => call.cancel(), codes: ['CANCELLED'] },
  { name: 'the caller leaves its loop', act: ({ reader }) => reader.return!(), codes: ['CANCELLED', 'clean'] },
  { name: 'its signal is aborted', act: ({ cancel }) => cancel.abort(), codes: ['CANCELLED'] },
  { name: 'its time is over', act: ({ line }) => line.clock.advance(6_000), codes: ['DEADLINE_EXCEEDED'] },
  { name: 'the connection is lost', act: ({ line }) => line.pair.cut(), codes: ['UNAVAILABLE'] },
  { name: 'the handler throws', act: (run) => (run.order = 'throw'), codes: ['ABORTED'] },
  { name: 'the handler returns', act: (run) => (run.order = 'return'), codes: ['clean'] },
];

describe.each(ways)('$name', ({ act, codes }) => {
  it.each(Array.from({ length: MOMENTS }, (_, moment) => moment))('after %i messages', async (moment) => {
    const run = new Run();
    if (moment % 3 === 0) run.end();
    await run.deliver(moment);
    const wasOver = run.line.pair.a.outgoing === 0;
    await act(run);
    await run.release();
    // a handler that was told to go on needs a message to see it
    if (run.line.pair.a.outgoing > 0) run.end();
    await run.release();

    const end = await run.reading;
    const seen = end === 'clean' ? 'clean' : end.code;
    expect(wasOver || run.ended ? [...codes, 'clean'] : codes).toContain(seen);
    const done = await run.call.done.then(
      () => 'clean',
      (error: GridError) => error.code,
    );
    expect([...codes, 'clean']).toContain(done);
    // what was read is what was written, from the first on, nothing twice
    expect(WRITTEN.slice(0, run.read.length)).toEqual(run.read);
    for (const write of run.writes) await write.catch((error: unknown) => expect(GridError.is(error)).toBe(true));
    // input that was cut never looks like its end
    if (run.inputEnd === 'clean') expect(run.ended).toBe(true);
    expect(run.handler).not.toBe('runs');
    if (end !== 'clean' && end.notSent) expect(run.handler).toBe('never ran');
    const { a, b } = run.line.pair;
    expect([a.outgoing, b.incoming, b.running, run.line.clock.timers]).toEqual([0, 0, 0, 0]);
  });
});

describe('half-close', () => {
  it.each(Array.from({ length: MOMENTS }, (_, moment) => moment))(
    'the caller ends its input after %i messages, and reads everything',
    async (moment) => {
      const run = new Run();
      await run.deliver(moment);
      run.end();
      await run.release();
      expect(await run.reading).toBe('clean');
      expect(run.read).toEqual(WRITTEN);
      expect([run.inputEnd, run.handler]).toEqual(['clean', 'ended']);
      await expect(Promise.all(run.writes)).resolves.toHaveLength(WRITTEN.length);
    },
  );

  it('the handler ends its output; what the caller still writes has failed, and the call is over', async () => {
    const line = gridLine();
    const lastWords = async function* (): AsyncGenerator<string> {
      yield 'last words';
    };
    line.handle(65, lastWords, { kind: 'stream', inCapacity: 2, outCapacity: 2 });
    const call = line.caller.stream(Echo) as GridCall<string, string>;
    const read: string[] = [];
    for await (const message of call) read.push(message);
    expect(read).toEqual(['last words']);
    await expect(call.write('too late')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await expect(call.done).resolves.toBeUndefined();
  });
});

describe('write()', () => {
  it('waits for a credit, and no further message is on the wire before', async () => {
    const run = new Run();
    const resolved: number[] = [];
    run.writes.forEach((write, index) => void write.then(() => resolved.push(index)));
    await run.line.pair.settle();
    // nobody has accepted the call yet
    expect(resolved).toEqual([]);
    await run.deliver(2);
    expect(resolved).toEqual([0, 1]);
    run.end();
    await run.release();
    expect(resolved).toEqual([0, 1, 2, 3, 4]);
  });
});

it('an error after data comes after the data, however slowly it is read', async () => {
  const line = gridLine();
  const failing = async function* (): AsyncGenerator<string> {
    yield 'a';
    yield 'b';
    throw new GridError('ABORTED', 'after two', { details: { at: 2 } });
  };
  line.handle(66, failing, { kind: 'stream', outCapacity: 8 });
  for (const take of ['iterator', 'observable', 'readable'] as const) {
    const call = line.caller.stream(66);
    const read: unknown[] = [];
    await line.pair.settle();
    const failed = { code: 'ABORTED', message: 'after two', details: { at: 2 }, remote: true };
    const reading =
      take === 'observable'
        ? call.toObservable().forEach((message) => void read.push(message))
        : (async () => {
            for await (const message of take === 'iterator' ? call : call.toReadable()) read.push(message);
          })();
    await expect(reading).rejects.toMatchObject(failed);
    expect(read).toEqual(['a', 'b']);
    await expect(call.done).rejects.toMatchObject(failed);
  }
});
