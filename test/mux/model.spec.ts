import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EXTENSIONS } from '../../lib/wire/index.js';
import { volume } from '../scale.js';
import { CANCELLED, FAILED } from './call-model.js';
import { CallWorld, CAPACITIES } from './call-world.js';

const side = fc.constantFrom('a' as const, 'b' as const);
const which = fc.nat(5);
/** A few, or as many as a large capacity gives its credits back for. */
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.integer({ min: 16, max: 40 }) },
);
const timeoutMs = fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined, freq: 2 });
/** What ends calls early happens only when this falls on 0, or hardly any would live long enough to be of interest. */
const dice = fc.nat(19);

function kind<K extends string>(name: K): fc.Arbitrary<K> {
  return fc.constant(name);
}

const flows = fc.constantFrom(
  'handler sends' as const,
  'caller sends' as const,
  'caller takes' as const,
  'handler takes' as const,
);
const ends = fc.constantFrom(
  'handler ends' as const,
  'handler fails' as const,
  'caller ends input' as const,
  'caller cancels' as const,
  'answer' as const,
  'answer by an error' as const,
  'request is cancelled' as const,
);

/** What can happen, in any order. Numbers choose among the calls that were made, the old ones too. */
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('open stream'),
      from: side,
      inCapacity: fc.constantFrom(...CAPACITIES),
      outCapacity: fc.constantFrom(...CAPACITIES.slice(1)),
      timeoutMs,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('open request'), from: side, timeoutMs }) },
  { weight: 16, arbitrary: fc.record({ kind: flows, which, count }) },
  { weight: 6, arbitrary: fc.record({ kind: ends, which, dice }) },
  { weight: 20, arbitrary: fc.record({ kind: kind('deliver'), from: side, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('time'), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('cut'), dice }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('reconnect') }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The youngest first: most of what happens should happen to calls that are still open. */
function pick<T>(from: readonly T[], index: number): T | undefined {
  return from.at(-1 - (index % Math.max(1, from.length)));
}

function run(world: CallWorld, next: Step): void {
  switch (next.kind) {
    case 'open stream':
      return world.openStream(next.from, next.inCapacity, next.outCapacity, next.timeoutMs);
    case 'open request':
      return world.openRequest(next.from, next.timeoutMs);
    case 'deliver':
      return world.deliver(next.from, next.count);
    case 'time':
      return world.pass(next.ms);
    case 'cut':
      return next.dice < 4 ? world.cut() : undefined;
    case 'reconnect':
      return world.connect();
    case 'answer':
      return pick(world.requests, next.which)?.endHandler();
    case 'answer by an error':
      return next.dice % 4 === 0 ? pick(world.requests, next.which)?.endHandler(FAILED) : undefined;
    case 'request is cancelled':
      return next.dice % 10 === 0 ? pick(world.requests, next.which)?.cancel(CANCELLED) : undefined;
  }
  const stream = pick(world.streams, next.which);
  switch (next.kind) {
    case 'handler sends':
      return stream?.running ? stream.output.sendTo(stream.handler?.output, next.count) : undefined;
    case 'caller sends':
      return stream?.input.sendTo(stream.caller.input, next.count);
    case 'caller takes':
      return stream?.output.takeFrom(stream.caller.output, next.count);
    case 'handler takes':
      return stream?.input.takeFrom(stream.handler?.input, next.count);
    case 'handler ends':
      return stream?.endHandler();
    case 'handler fails':
      return next.dice % 4 === 0 ? stream?.endHandler(FAILED) : undefined;
    case 'caller ends input':
      return stream?.endInput();
    case 'caller cancels':
      return next.dice % 10 === 0 ? stream?.cancel(CANCELLED) : undefined;
  }
}

it('every call ends once, what arrives is a prefix of what was sent, and of a clean end all of it', () => {
  const met = { cleanEnds: 0, reconnects: 0, aborts: 0, answers: 0, codes: new Map<string, number>() };
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 20, maxLength: 250, size: 'max' }),
      fc.constantFrom([], EXTENSIONS),
      (steps, extensions) => {
        const world = new CallWorld(extensions);
        for (const next of steps) {
          run(world, next);
          world.check();
        }
        world.end();
        met.reconnects += world.reconnects - 1;
        for (const { overs, output, aborts } of world.streams) {
          if (!overs[0] && output.sent.length > 1) met.cleanEnds++;
          met.aborts += aborts.length;
          if (overs[0]) met.codes.set(overs[0].code, (met.codes.get(overs[0].code) ?? 0) + 1);
        }
        met.answers += world.requests.filter(({ ends: [end] }) => typeof end === 'string').length;
      },
    ),
    { numRuns: volume(200, 5_000) },
  );
  // or the property would hold because nothing ever happened
  for (const often of [met.cleanEnds, met.reconnects, met.aborts, met.answers]) expect(often).toBeGreaterThan(5);
  for (const code of ['ABORTED', 'CANCELLED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE']) {
    expect(met.codes.has(code)).toBe(true);
  }
}, 600_000);
