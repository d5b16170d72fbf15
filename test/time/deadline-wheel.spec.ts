import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { DeadlineWheel, type Deadline } from '../../lib/time/index.js';

class Marked implements Deadline {
  dueAt = 0;
  slot = -1;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;

  constructor(private readonly act: () => void) {}

  onDue(): void {
    this.act();
  }
}

function fixture(): { clock: ManualClock; wheel: DeadlineWheel; fired: string[]; mark: (name: string) => Deadline } {
  const clock = new ManualClock();
  const fired: string[] = [];
  const mark = (name: string): Deadline => new Marked(() => fired.push(`${name}@${clock.now()}`));
  return { clock, wheel: new DeadlineWheel(clock), fired, mark };
}

describe('a wheel of deadlines', () => {
  test('fires each at its own time, whatever the level it stood in', () => {
    const { clock, wheel, fired, mark } = fixture();
    const times = [0, 1, 63, 64, 65, 4_095, 4_096, 4_097, 60_000, 262_145, 86_400_000, 4_294_967_295];
    for (const time of [...times].reverse()) wheel.add(mark(`t${time}`), time);
    clock.advance(4_294_967_295);
    expect(fired).toEqual(times.map((time) => `t${time}@${time}`));
    expect(clock.timers).toBe(0);
  });

  test('one that lies years ahead waits beyond the reach of the last level, and holds up none of the others', () => {
    const { clock, wheel, fired, mark } = fixture();
    // in the last level's slot of the present, 200 rounds later
    const far = 200 * 64 ** 6 + 5;
    for (const at of [10, far, Infinity]) wheel.add(mark(`t${at}`), at);
    clock.advance(10);
    expect(fired).toEqual(['t10@10']);
    clock.advance(far - 11);
    expect(fired).toHaveLength(1);
    clock.advance(1);
    expect(fired).toEqual(['t10@10', `t${far}@${far}`]);
    wheel.clear();
    expect(clock.timers).toBe(0);
  });

  test('those of one millisecond fall due in the order in which they came, whatever levels they stood in', () => {
    const { clock, wheel, fired, mark } = fixture();
    const names: string[] = [];
    const add = (): void => {
      names.push(`d${names.length}`);
      wheel.add(mark(names.at(-1)!), 300_000);
    };
    // from ever nearer, so to ever finer levels
    for (const at of [0, 262_144, 299_000, 299_900, 299_970, 299_999]) {
      clock.advance(at - clock.now());
      for (let count = 0; count < 3; count++) add();
    }
    clock.advance(1);
    expect(fired).toEqual(names.map((name) => `${name}@300000`));
  });

  test('what one adds while a coarse slot comes up is the youngest there', () => {
    const { clock, wheel, fired, mark } = fixture();
    wheel.add(new Marked(() => wheel.add(mark('young'), 4_100)), 4_096);
    wheel.add(mark('old'), 4_100);
    clock.advance(4_100);
    expect(fired).toEqual(['old@4100', 'young@4100']);
  });

  test('is never early: fractions are rounded up', () => {
    const { clock, wheel, fired, mark } = fixture();
    wheel.add(mark('a'), 10.2);
    clock.advance(10.9);
    expect(fired).toEqual([]);
    clock.advance(0.2);
    expect(fired).toHaveLength(1);
  });

  test('while it is held no timer is set: what is still there afterwards gets one, and falls due at its time', () => {
    const { clock, wheel, fired, mark } = fixture();
    clock.advance(5);
    const [a, b, c] = [mark('a'), mark('b'), mark('c')];
    wheel.hold();
    wheel.add(a, 20);
    wheel.remove(a);
    wheel.add(b, 30);
    wheel.add(c, 40);
    expect(clock.timers).toBe(0);
    clock.advance(2);
    wheel.release();
    expect(clock.timers).toBe(1);
    clock.advance(22);
    expect(fired).toEqual([]);
    clock.advance(1);
    expect(fired).toEqual(['b@30']);
    clock.advance(10);
    expect(fired).toEqual(['b@30', 'c@40']);
    expect(clock.timers).toBe(0);
  });

  test('while it is held a timer goes on running, until an earlier deadline or none is there at the end', () => {
    const { clock, wheel, fired, mark } = fixture();
    const [a, b] = [mark('a'), mark('b')];
    wheel.add(a, 1_000);
    wheel.hold();
    wheel.remove(a);
    expect(clock.timers).toBe(1);
    wheel.release();
    expect(clock.timers).toBe(0);
    wheel.add(a, 1_000);
    wheel.hold();
    wheel.add(b, 10);
    wheel.release();
    clock.advance(10);
    expect(fired).toEqual(['b@10']);
    wheel.hold();
    wheel.remove(a);
    wheel.add(a, 2_000);
    wheel.release();
    clock.advance(1_990);
    expect(fired).toEqual(['b@10', 'a@2000']);
  });

  test('when it is held again the present is asked for again: what is past falls due then', () => {
    const { clock, wheel, fired, mark } = fixture();
    const a = mark('a');
    wheel.hold();
    wheel.add(a, 10);
    wheel.remove(a);
    wheel.release();
    clock.advance(100);
    wheel.hold();
    wheel.add(a, 50);
    wheel.release();
    expect(a.dueAt).toBe(100);
    clock.advance(1);
    expect(fired).toEqual(['a@100']);
  });

  test('one that was taken out never fires, and the last one takes the timer along', () => {
    const { clock, wheel, fired, mark } = fixture();
    const [a, b, c] = ['a', 'b', 'c'].map(mark) as [Deadline, Deadline, Deadline];
    for (const deadline of [a, b, c]) wheel.add(deadline, 100);
    wheel.remove(b);
    wheel.remove(b);
    clock.advance(100);
    expect(fired.sort()).toEqual(['a@100', 'c@100']);
    wheel.add(b, 5_000);
    expect(clock.timers).toBe(1);
    wheel.remove(b);
    expect(clock.timers).toBe(0);
  });

  test('ten thousand deadlines run on one timer', () => {
    const { clock, wheel, mark } = fixture();
    for (let i = 0; i < 10_000; i++) wheel.add(mark('x'), (i * 7_919) % 600_000);
    expect(clock.timers).toBe(1);
    wheel.clear();
    expect(clock.timers).toBe(0);
  });

  test('what fires may add again, even for the past, without holding up the turn', () => {
    const { clock, wheel } = fixture();
    let fires = 0;
    const again: Deadline = new Marked(() => {
      fires++;
      wheel.add(again, -1);
    });
    wheel.add(again, 5);
    clock.advance(8);
    expect(fires).toBe(4);
    wheel.remove(again);
    expect(clock.timers).toBe(0);
  });

  test('one that throws holds up none of the others', () => {
    const { clock, wheel, fired, mark } = fixture();
    wheel.add(mark('a'), 5);
    wheel.add(
      new Marked(() => {
        throw new Error('thrown on purpose');
      }),
      5,
    );
    wheel.add(mark('b'), 5);
    expect(() => clock.advance(5)).toThrow('thrown on purpose');
    clock.advance(1);
    expect(fired).toEqual(['a@5', 'b@5']);
  });

  test('agrees with a sorted list', () => {
    const step = fc.oneof(
      fc.record({ add: fc.oneof(fc.nat(200), fc.nat(10_000), fc.nat(20_000_000)) }),
      fc.record({ remove: fc.nat(50) }),
      fc.record({ advance: fc.oneof(fc.nat(100), fc.nat(5_000), fc.nat(500_000)) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, wheel, fired } = fixture();
        const waiting = new Map<string, { deadline: Deadline; at: number }>();
        let names = 0;
        for (const action of steps) {
          if ('add' in action) {
            const name = `d${names++}`;
            const at = clock.now() + action.add;
            const deadline = new Marked(() => fired.push(`${name}@${clock.now()}`));
            waiting.set(name, { deadline, at });
            wheel.add(deadline, at);
          } else if ('remove' in action) {
            const [name, one] = [...waiting][action.remove % Math.max(1, waiting.size)] ?? [];
            if (one) wheel.remove(one.deadline);
            waiting.delete(name!);
          } else {
            clock.advance(action.advance);
            const due = [...waiting].filter(([, { at }]) => at <= clock.now());
            expect(fired.splice(0).sort()).toEqual(due.map(([name, { at }]) => `${name}@${at}`).sort());
            for (const [name] of due) waiting.delete(name);
          }
          expect(clock.timers).toBe(waiting.size === 0 ? 0 : 1);
        }
      }),
      { numRuns: 300 },
    );
  });
});
