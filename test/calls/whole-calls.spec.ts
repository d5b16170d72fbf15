// Calls of each kind, with answers, inputs and readers of each kind, that are left, aborted, cut and held at any point.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { gridLine } from './grid-line.js';
import { READERS, WholeCall } from './whole-call.js';

/** Turns of the event loop in which calls begin and faults strike. */
const TURNS = 30;
/** In which all must be over that ends by itself; then that which was aborted. */
const MOST_TURNS = 200;

const when = fc.nat(TURNS - 1);
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 3 });
const spring = fc.record({
  shape: fc.constantFrom(
    'generator' as const,
    'Observable' as const,
    'Readable' as const,
    'Observable of a generator' as const,
  ),
  values: fc.nat(5),
  failsAt: rarely(fc.nat(4)),
  pause: fc.nat(2),
});
const plan = fc.record({
  kind: fc.constantFrom('request' as const, 'send' as const, 'stream' as const, 'stream' as const),
  startsAt: fc.nat(TURNS >> 1),
  answer: spring,
  late: fc.boolean(),
  hangs: fc.integer({ min: 0, max: 7 }).map((dice) => dice === 0),
  reads: fc.boolean(),
  inCapacity: fc.nat(3),
  outCapacity: fc.integer({ min: 1, max: 3 }),
  input: fc.oneof(spring, fc.constantFrom('write()' as const, undefined)),
  reader: fc.constantFrom(...READERS),
  abortsAt: rarely(when),
  timeoutMs: rarely(fc.integer({ min: 1, max: 40 })),
});
const fault = fc.record({
  at: when,
  kind: fc.constantFrom('cut' as const, 'hold' as const, 'step' as const, 'release' as const, 'congest' as const),
  way: fc.constantFrom('aToB' as const, 'bToA' as const),
});

test('each call ends once, as its history allows, and leaves nothing behind at either end', async () => {
  const met = { notSent: 0, left: 0, well: 0, codes: new Set<string>() };
  const property = fc.asyncProperty(
    fc.array(plan, { minLength: 1, maxLength: 4 }),
    fc.array(fault, { maxLength: 4 }),
    async (plans, faults) => {
      const line = gridLine();
      const { pair, clock } = line;
      const calls = plans.map((one, index) => new WholeCall(one, line, index));
      const settled = async (which: readonly WholeCall[]): Promise<void> => {
        for (let left = MOST_TURNS; left > 0 && !which.every(({ over }) => over); left--) await turn();
      };
      for (let now = 0; now < TURNS; now++) {
        for (const { kind, way } of faults.filter(({ at }) => at === now)) {
          if (kind === 'cut') pair.cut();
          else if (kind === 'congest') pair[way].congested = true;
          else if (kind === 'step') pair[way].step(1);
          else pair[way][kind]();
        }
        for (const call of calls) call.at(now);
        clock.advance(1);
        await turn();
      }
      for (const way of [pair.aToB, pair.bToA]) {
        way.release();
        way.drain();
      }
      const ending = calls.filter(({ endsByItself }) => endsByItself);
      await settled(ending);
      expect(ending.every(({ over }) => over)).toBe(true);
      // signals of the others are looked at: nobody listens any more
      for (const call of calls) if (!call.over) call.abort();
      await settled(calls);
      await pair.settle();
      const rests = (): boolean => pair.b.running === 0 && calls.every(({ cleanedUp }) => cleanedUp);
      for (let left = MOST_TURNS; left > 0 && !rests(); left--) await turn();
      const struck = new Set(faults.map(({ kind }) => kind));
      expect(calls.map((call) => call.lie(struck)).find(Boolean)).toBeUndefined();
      expect([pair.aborted, pair.a.outgoing, pair.b.incoming, pair.b.running]).toEqual([undefined, 0, 0, 0]);
      pair.cut();
      expect(clock.timers).toBe(0);
      for (const [end] of calls.map(({ ends }) => ends)) {
        if (end === 'well' || end === 'left') met[end]++;
        else if (end) {
          met.codes.add(end.code);
          if (end.notSent) met.notSent++;
        }
      }
    },
  );
  await fc.assert(property, { numRuns: volume(500, 10_000) });
  // or it would hold because nothing ever happened
  for (const often of [met.well, met.left, met.notSent]) expect(often).toBeGreaterThan(5);
  expect([...met.codes].sort()).toEqual([
    'ABORTED',
    'CANCELLED',
    'DEADLINE_EXCEEDED',
    'FAILED_PRECONDITION',
    'RESOURCE_EXHAUSTED',
    'UNAVAILABLE',
  ]);
}, 600_000);
