// One call with all that an application may do with it at both of its ends, and what must be true of it whatever
// happens: the model that a property test compares with.
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { Observable, take } from 'rxjs';
import type { CallContext, GridCall, InputSource, StreamOptions } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { turn } from '../turn.js';
import type { GridLine } from './grid-line.js';

const FAILED = new GridError('ABORTED', 'the handler failed');

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn();
}

/** What values come from: an answer, or the input of a stream. */
export interface SpringPlan {
  readonly shape: 'generator' | 'Observable' | 'Readable' | 'Observable of a generator';
  readonly values: number;
  /** It fails in place of this value. */
  readonly failsAt: number | undefined;
  /** Turns of the event loop before each value, and that its cleanup takes. */
  readonly pause: number;
}

/** Gives 0, 1, 2 and so on, and counts what was begun and what was cleaned up. */
class Spring {
  begun = 0;
  cleaned = 0;
  given = 0;

  constructor(private readonly plan: SpringPlan) {}

  /** `before` runs ahead of the first value, `after` behind the last one. */
  open(before = turn, after?: () => Promise<void>): AsyncGenerator<number> | Observable<unknown> | Readable {
    switch (this.plan.shape) {
      case 'generator':
        return this.pulled(before, after);
      case 'Readable':
        return Readable.from(this.pulled(before, after), { highWaterMark: 1 });
      case 'Observable':
        return this.pushed(before, after);
      case 'Observable of a generator':
        return new Observable((subscriber) => subscriber.next(this.pulled(before, after)));
    }
  }

  private async *pulled(before: () => Promise<void>, after: () => Promise<void> = async () => {}) {
    const { values, failsAt, pause } = this.plan;
    this.begun++;
    try {
      await before();
      for (let value = 0; value < values; value++) {
        await turns(pause);
        if (value === failsAt) throw FAILED;
        this.given++;
        yield value;
      }
      await after();
    } finally {
      await turns(pause);
      this.cleaned++;
    }
  }

  private pushed(before: () => Promise<void>, after: (() => Promise<void>) | undefined): Observable<number> {
    const { values, failsAt, pause } = this.plan;
    return new Observable((subscriber) => {
      this.begun++;
      const push = async (): Promise<void> => {
        await before();
        for (let value = 0; value < values && !subscriber.closed; value++) {
          if (pause > 0) await turns(pause);
          if (value === failsAt) throw FAILED;
          if (!subscriber.closed) this.given++;
          subscriber.next(value);
        }
        // nobody tells it: it is torn down
        if (!after) subscriber.complete();
      };
      push().catch((thrown: unknown) => subscriber.error(thrown));
      return () => void this.cleaned++;
    });
  }
}

/** How the messages are read. Some leave when they have enough. */
export const READERS = [
  'all',
  'breaks',
  'throws',
  'two at once',
  'returns while two wait',
  'Observable',
  'take',
  'unsubscribes',
  'Readable',
] as const;
const ENOUGH = 2;

/** What is done with one call. */
export interface CallPlan {
  readonly kind: 'request' | 'send' | 'stream';
  readonly startsAt: number;
  readonly answer: SpringPlan;
  /** A Promise of the answer is given. */
  readonly late: boolean;
  /** The handler does not end before it is told to. */
  readonly hangs: boolean;
  /** The handler reads its input first. */
  readonly reads: boolean;
  readonly inCapacity: number;
  readonly outCapacity: number;
  readonly input: SpringPlan | 'write()' | undefined;
  readonly reader: (typeof READERS)[number];
  /** The caller's signal aborts in this turn. */
  readonly abortsAt: number | undefined;
  readonly timeoutMs: number | undefined;
}

type End = 'well' | 'left' | GridError;

export class WholeCall {
  readonly ends: End[] = [];
  private started = 0;
  private readonly name: string;
  private readonly answer: Spring;
  private readonly input: Spring | undefined;
  private readonly leave = new AbortController();
  private readonly taken: unknown[] = [];
  private readonly got: unknown[] = [];
  private readonly writes: boolean[] = [];
  private gotAll = false;
  private aborts = 0;
  private openedAt = 0;
  private endedAt = 0;

  constructor(
    private readonly plan: CallPlan,
    private readonly line: GridLine,
    index: number,
  ) {
    const { kind, inCapacity, outCapacity, input } = plan;
    this.name = `call ${index}`;
    this.answer = new Spring(plan.answer);
    this.input = kind === 'stream' && typeof input === 'object' ? new Spring(input) : undefined;
    line.handle(this.name, (_payload, context) => this.handle(context), { inCapacity, outCapacity });
  }

  /** Once per turn of the event loop. */
  at(now: number): void {
    const { startsAt, abortsAt } = this.plan;
    if (now === startsAt) this.start();
    if (now === abortsAt) this.abort();
  }

  abort(): void {
    this.leave.abort();
  }

  get over(): boolean {
    return this.ends.length > 0;
  }

  /** Nothing but the end of its handler is needed for its own. */
  get endsByItself(): boolean {
    return !this.plan.hangs;
  }

  /** Its cleanups take their time. */
  get cleanedUp(): boolean {
    const { answer, input } = this;
    return answer.cleaned >= answer.begun && (input === undefined || input.cleaned >= input.begun);
  }

  /** What is wrong with it, now that all is over. `struck`: the faults of its connection. */
  lie(struck: ReadonlySet<string>): string | undefined {
    const { answer, input, started, taken, got, aborts, ends, plan } = this;
    const [end] = ends;
    const isPrefix = (values: unknown[]): boolean => values.every((value, index) => value === index);
    const many = plan.kind !== 'request';
    const byHandler = GridError.is(end) && end.remote && end.code === FAILED.code;
    const inputs = plan.input === 'write()' ? this.writes.filter(Boolean).length : (input?.given ?? 0);
    const lies: [boolean, string][] = [
      [ends.length !== 1, `${ends.length} ends`],
      [started > 1, `its handler ran ${started} times`],
      [!isPrefix(taken), `no prefix was taken: ${taken.join()}`],
      [!isPrefix(got), `no prefix of the input: ${got.join()}`],
      [taken.length > answer.given, `${taken.length} taken of ${answer.given}`],
      [end === 'well' && many && taken.length < plan.answer.values, 'a good end, but items are lost'],
      [many && byHandler && taken.length < answer.given, 'items in front of the error of its handler are lost'],
      [end === 'well' && aborts > 0, 'a good end, but the handler was aborted'],
      [this.gotAll && got.length !== inputs, `the input ended well after ${got.length} of ${inputs}`],
      [this.gotAll && input !== undefined && input.given < (plan.input as SpringPlan).values, 'cut input looks whole'],
      [aborts > 1, `${aborts} aborts`],
      [answer.cleaned !== answer.begun, `of ${answer.begun} handlers ${answer.cleaned} were cleaned up`],
      [input !== undefined && input.cleaned !== input.begun, 'the input was not cleaned up'],
      [getEventListeners(this.leave.signal, 'abort').length > 0, 'its signal is listened to for ever'],
      [GridError.is(end) && end.notSent && started > 0, 'notSent, but it ran'],
      [GridError.is(end) && !this.explains(end, struck), `nothing explains ${String(end)}`],
    ];
    const found = lies.find(([is]) => is);
    return found && `${this.name}: ${found[1]}`;
  }

  private explains({ code }: GridError, struck: ReadonlySet<string>): boolean {
    const { timeoutMs, answer, input, kind } = this.plan;
    const inputFails = typeof input === 'object' && input.failsAt !== undefined;
    const explained: Partial<Record<string, boolean>> = {
      CANCELLED: this.leave.signal.aborted,
      DEADLINE_EXCEEDED: timeoutMs !== undefined && this.endedAt >= this.openedAt + timeoutMs,
      ABORTED: answer.failsAt !== undefined || inputFails,
      UNAVAILABLE: struck.has('cut'),
      RESOURCE_EXHAUSTED: struck.has('congest'),
      FAILED_PRECONDITION: kind === 'request' && answer.values > 1,
    };
    return explained[code] === true;
  }

  private handle(context: CallContext): unknown {
    const { late, hangs, reads, inCapacity } = this.plan;
    this.started++;
    const { signal } = context;
    signal.addEventListener('abort', () => this.aborts++);
    const before = reads && inCapacity > 0 ? (): Promise<void> => this.readInput(context.input) : undefined;
    const after = hangs
      ? async (): Promise<void> => {
          if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        }
      : undefined;
    const answer = this.answer.open(before, after);
    return late ? turn().then(() => answer) : answer;
  }

  private async readInput(input: AsyncIterable<unknown>): Promise<void> {
    for await (const message of input) this.got.push(message);
    this.gotAll = true;
  }

  private start(): void {
    const { kind, timeoutMs, input } = this.plan;
    const { caller, clock } = this.line;
    this.openedAt = clock.now();
    const options: StreamOptions = { signal: this.leave.signal, ...(timeoutMs !== undefined && { timeoutMs }) };
    if (kind === 'request') void this.settle(caller.request(this.name, 0, options));
    else if (kind === 'send') this.observe(caller.send(this.name, 0, options));
    else {
      const given = this.input && { input: this.input.open() as InputSource<unknown> };
      const call = caller.stream(this.name, 0, { ...options, ...given, ...(input === 'write()' && { inCapacity: 1 }) });
      if (input === 'write()') this.write(call);
      void this.settle(this.read(call));
    }
  }

  private async settle(work: Promise<unknown>): Promise<void> {
    try {
      this.end((await work) === 'left' ? 'left' : 'well');
    } catch (error) {
      this.end(error as GridError);
    }
  }

  private end(end: End): void {
    this.ends.push(end);
    this.endedAt = this.line.clock.now();
  }

  /** All at once: what there is no credit for waits. */
  private write(call: GridCall): void {
    for (let value = 0; value < 3; value++) {
      call.write(value).then(
        () => this.writes.push(true),
        () => this.writes.push(false),
      );
    }
    call.end();
  }

  private async read(call: GridCall): Promise<unknown> {
    const { reader } = this.plan;
    if (reader === 'two at once') return this.readTwice(call[Symbol.asyncIterator](), false);
    if (reader === 'returns while two wait') return this.readTwice(call[Symbol.asyncIterator](), true);
    if (reader === 'Observable' || reader === 'take' || reader === 'unsubscribes') {
      return new Promise((resolve, reject) => {
        this.observe(call.toObservable(), (end) => (GridError.is(end) ? reject(end) : resolve(end)));
      });
    }
    const left = new Error('enough');
    try {
      for await (const message of reader === 'Readable' ? call.toReadable() : call) {
        this.taken.push(message);
        if (this.taken.length < ENOUGH) continue;
        if (reader === 'breaks') return 'left';
        if (reader === 'throws') throw left;
      }
    } catch (error) {
      if (error !== left) throw error;
      return 'left';
    }
    return 'well';
  }

  private async readTwice(iterator: AsyncIterator<unknown>, leaves: boolean): Promise<End> {
    for (;;) {
      const both = Promise.allSettled([iterator.next(), iterator.next()]);
      if (leaves) await turn();
      if (leaves) await iterator.return?.();
      for (const result of await both) {
        if (result.status === 'rejected') throw result.reason;
        if (result.value.done) return leaves ? 'left' : 'well';
        this.taken.push(result.value.value);
      }
    }
  }

  private observe(messages: Observable<unknown>, tell = (end: End): void => this.end(end)): void {
    const { reader } = this.plan;
    const leaves = reader === 'take' || reader === 'unsubscribes';
    const subscription = (reader === 'take' ? messages.pipe(take(ENOUGH)) : messages).subscribe({
      next: (message) => {
        // an answer without a value, to who asks for one or many
        if (message === undefined) return;
        this.taken.push(message);
        if (reader !== 'unsubscribes' || this.taken.length < ENOUGH) return;
        subscription.unsubscribe();
        tell('left');
      },
      error: tell,
      complete: () => tell(leaves && this.taken.length >= ENOUGH ? 'left' : 'well'),
    });
  }
}
