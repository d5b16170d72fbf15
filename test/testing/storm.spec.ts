// Several hosts, calls of each to each, and faults on the wires between them, in any order: what every call promises.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import fc from 'fast-check';
import { GridContext, GridError, GridInput, GridStream } from 'nestjs-grid';
import { GridTestingModule } from 'nestjs-grid/testing';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';

const NODES = 3;
const ROUNDS = volume(50, 1_000);
const ITEMS = 5;
/** Longer than any call takes; only what hangs meets it. */
const HANG_MS = 120_000;

/** What a handler did for one call. */
interface Life {
  started: number;
  aborts: number;
  ended: number;
}
const lives = new Map<string, Life>();

function begin(id: string, { signal }: GridContext): Life {
  const life = lives.get(id) ?? { started: 0, aborts: 0, ended: 0 };
  lives.set(id, life);
  life.started++;
  signal.addEventListener('abort', () => life.aborts++);
  return life;
}

@Controller()
class Handlers {
  @MessagePattern(60)
  async echo(@Payload() id: string, @Ctx() context: GridContext): Promise<string> {
    const life = begin(id, context);
    await turns(id.length % 3);
    life.ended++;
    return id;
  }

  @GridStream(61, { inCapacity: 2, outCapacity: 2 })
  async *double(
    @Payload() id: string,
    @GridInput() numbers: AsyncIterable<number>,
    @Ctx() context: GridContext,
  ): AsyncGenerator<number> {
    const life = begin(id, context);
    try {
      for await (const number of numbers) yield number * 2;
    } finally {
      life.ended++;
    }
  }

  @GridStream(62, { outCapacity: 1 })
  async *count(
    @Payload() { id, failAt }: { id: string; failAt: number },
    @Ctx() context: GridContext,
  ): AsyncGenerator<number> {
    const life = begin(id, context);
    try {
      for (let item = 1; item <= ITEMS; item++) {
        if (item === failAt) throw new GridError('ABORTED', id);
        yield item * 2;
      }
    } finally {
      life.ended++;
    }
  }

  @MessagePattern(63)
  async hold(@Payload() id: string, @Ctx() context: GridContext): Promise<void> {
    const life = begin(id, context);
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      else context.signal.addEventListener('abort', () => resolve());
    });
    life.ended++;
  }
}

/** Lets the event loop go round so many times. */
async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn();
}

const pair = fc.record({ from: fc.nat(NODES - 1), hop: fc.integer({ min: 1, max: NODES - 1 }) });
const call = fc.record({
  at: pair,
  kind: fc.constantFrom('request' as const, 'double' as const, 'count' as const, 'held' as const),
  afterTurns: fc.nat(7),
  /** The handler fails instead of giving this item; 0: it does not. */
  failAt: fc.constantFrom(0, 0, 0, 1, 3),
  /** The caller goes after so many turns. */
  cancelAfter: fc.option(fc.nat(20), { nil: undefined, freq: 2 }),
  timeoutMs: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined, freq: 2 }),
});
const point = fc.oneof(fc.record({ afterBytes: fc.nat(400) }), fc.record({ afterMessages: fc.nat(12) }));
const fault = fc.record({
  at: pair,
  kind: fc.constantFrom('none' as const, 'cut' as const, 'corrupt' as const, 'delay' as const, 'stall' as const),
  point,
  cutToo: fc.boolean(),
});
const round = fc.record({ faults: fc.array(fault, { maxLength: 2 }), calls: fc.array(call, { maxLength: 14 }) });
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;
type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;
type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;

let cluster: GridTestingModule;
beforeAll(async () => {
  const grid = { drainTimeoutMs: 100 };
  cluster = await GridTestingModule.create({ nodes: NODES, metadata: { controllers: [Handlers] }, grid });
});
afterAll(() => cluster.close());

const met = { answered: 0, notSent: 0, aborted: 0, codes: new Map<string, number>() };
let made = 0;

/** One call to its one end; what comes of it is judged by what was done to it. */
async function attempt({ at: { from, hop }, kind, failAt, ...does }: Call): Promise<void> {
  const id = `${kind} ${made++}`;
  await turns(does.afterTurns);
  const peer = cluster.peer(from, (from + hop) % NODES);
  const leave = new AbortController();
  const options = {
    // what nobody ends is ended by its caller
    timeoutMs: does.timeoutMs ?? (kind === 'held' && does.cancelAfter === undefined ? 30 : HANG_MS),
    signal: leave.signal,
  };
  if (does.cancelAfter !== undefined) void turns(does.cancelAfter).then(() => leave.abort());
  const doubles: number[] = [];
  let error: GridError | undefined;
  let answer: unknown;
  try {
    if (kind === 'request') answer = await peer.request(60, id, options);
    else if (kind === 'held') answer = await peer.request(63, id, options);
    else {
      const input = Array.from({ length: ITEMS }, (_, item) => item + 1);
      const stream =
        kind === 'double'
          ? peer.stream<number>(61, id, { ...options, input })
          : peer.stream<number>(62, { id, failAt }, options);
      for await (const double of stream) doubles.push(double);
    }
  } catch (thrown) {
    if (!GridError.is(thrown)) throw thrown;
    error = thrown;
  }
  const told = { id, error: error?.toString(), doubles };
  // items are a prefix of what was sent, however it ended
  expect({ ...told, doubles }).toEqual({ ...told, doubles: doubles.map((_, index) => (index + 1) * 2) });
  expect(doubles.length).toBeLessThanOrEqual(failAt > 0 && kind === 'count' ? failAt - 1 : ITEMS);
  if (!error) {
    met.answered++;
    // cut output throws, it never looks like its end
    if (kind === 'request') expect(answer).toBe(id);
    else expect([id, doubles.length]).toEqual([id, ITEMS]);
    expect([id, lives.get(id)?.started]).toEqual([id, 1]);
    return;
  }
  met.codes.set(error.code, (met.codes.get(error.code) ?? 0) + 1);
  const explained = new Set(['UNAVAILABLE']);
  if (does.cancelAfter !== undefined) explained.add('CANCELLED');
  if (options.timeoutMs < HANG_MS) explained.add('DEADLINE_EXCEEDED');
  if (kind === 'count' && failAt > 0) explained.add('ABORTED');
  expect({ ...told, explained: explained.has(error.code) }).toEqual({ ...told, explained: true });
  if (error.code === 'ABORTED') expect(error.message).toBe(id);
  if (!error.notSent) return;
  met.notSent++;
  expect([id, lives.has(id)]).toEqual([id, false]);
}

function set({ at: { from, hop }, kind, point: where }: Fault): void {
  const wire = cluster.wire(from, (from + hop) % NODES);
  if (kind === 'cut') wire.cut(where);
  if (kind === 'corrupt') wire.corrupt(where);
  if (kind === 'delay') wire.delay(2, where);
  if (kind === 'stall') wire.stall(where);
}

/** Waits until nothing of any call is left. Where something stays the error says what. */
async function idle(): Promise<void> {
  let busy: unknown;
  await until(() => {
    try {
      cluster.assertIdle();
      return true;
    } catch (error) {
      busy = error;
      return false;
    }
  }, 'all is idle').catch((error: Error) => {
    throw new Error(`${error.message}: ${String(busy)}`, { cause: error });
  });
}

async function weather({ faults, calls }: Round): Promise<void> {
  for (const one of faults) set(one);
  const attempts = calls.map((one) => attempt(one));
  await turns(12);
  for (const { at, cutToo } of faults.filter(({ kind }) => kind === 'stall')) {
    const wire = cluster.wire(at.from, (at.from + at.hop) % NODES);
    if (cutToo) wire.cut();
    wire.heal();
  }
  await Promise.all(attempts);
  for (const { at } of faults) cluster.wire(at.from, (at.from + at.hop) % NODES).heal();
  // whoever lost a connection has it again, and nothing is left of any call
  await cluster.connected();
  await idle();
  for (const [id, life] of lives) {
    expect([id, life]).toEqual([id, { started: 1, ended: 1, aborts: Math.min(life.aborts, 1) }]);
    met.aborted += life.aborts;
  }
  lives.clear();
}

/** What chance alone may leave out: each kind of end, and calls on a connection that was cut. */
const plain: Call = {
  at: { from: 0, hop: 1 },
  kind: 'request',
  afterTurns: 0,
  failAt: 0,
  cancelAfter: undefined,
  timeoutMs: undefined,
};
const EXAMPLES: [Round][] = [
  [
    {
      faults: [],
      calls: [
        plain,
        { ...plain, kind: 'held', cancelAfter: 20 },
        { ...plain, kind: 'held' },
        { ...plain, kind: 'count', failAt: 1 },
      ],
    },
  ],
  [
    {
      faults: [{ at: plain.at, kind: 'cut', point: { afterMessages: 0 }, cutToo: false }],
      calls: [0, 1, 2, 3, 4, 5, 6, 7].map((afterTurns) => ({ ...plain, kind: 'held', afterTurns })),
    },
  ],
];

test('calls in a storm of faults: each ends once, right or with a true error, and nothing is left', async () => {
  // what failed can be repeated by its seed; smaller storms of real time would only be other ones
  const settings = { numRuns: ROUNDS, examples: EXAMPLES, endOnFailure: true };
  await fc.assert(fc.asyncProperty(round, weather), settings);
  for (const often of [met.answered, met.notSent, met.aborted]) expect(often).toBeGreaterThan(0);
  for (const code of ['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED', 'ABORTED']) {
    expect(met.codes.has(code)).toBe(true);
  }
}, 600_000);
