import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rota, Turn } from '../../lib/time/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

/** A thing with a name. */
class Thing extends Turn {
  constructor(readonly name: string) {
    super();
  }

  override toString(): string {
    return this.name;
  }
}

const [a, b, c] = ['a', 'b', 'c'].map((name) => new Thing(name)) as [Thing, Thing, Thing];

describe('a round of things with the same delay', () => {
  let clock: ManualClock;
  let due: string[];
  let rota: Rota<Thing>;
  beforeEach(() => {
    clock = new ManualClock();
    due = [];
    rota = new Rota<Thing>(clock, 100, (item) => due.push(`${item}@${clock.now()}`));
  });
  afterEach(() => {
    rota.clear();
    expect(clock.timers).toBe(0);
  });

  it('each falls due once, after its own delay, on one timer', () => {
    rota.add(a);
    clock.advance(30);
    rota.add(b);
    rota.add(c);
    expect(clock.timers).toBe(1);
    clock.advance(300);
    expect(due).toEqual(['a@100', 'b@130', 'c@130']);
    expect(clock.timers).toBe(0);
  });

  it('adding again starts the delay anew', () => {
    rota.add(a);
    clock.advance(99);
    rota.add(a);
    clock.advance(99);
    expect(due).toEqual([]);
    clock.advance(1);
    expect(due).toEqual(['a@199']);
  });

  it('while it is held no timer is set: what is still there afterwards gets one, and falls due at its time', () => {
    rota.hold(clock.now());
    rota.add(a);
    rota.add(b);
    expect(clock.timers).toBe(0);
    rota.remove(a);
    clock.advance(30);
    rota.release();
    expect(clock.timers).toBe(1);
    clock.advance(70);
    expect(due).toEqual(['b@100']);
    rota.hold(clock.now());
    rota.add(a);
    rota.remove(a);
    rota.release();
    expect(clock.timers).toBe(0);
  });

  it('while it is held all that is put in counts from when that began', () => {
    rota.hold(clock.now());
    clock.advance(30);
    rota.add(a);
    rota.release();
    clock.advance(69);
    expect(due).toEqual([]);
    clock.advance(1);
    expect(due).toEqual(['a@100']);
    rota.add(a);
    clock.advance(100);
    expect(due).toEqual(['a@100', 'a@200']);
  });

  it('what was removed never falls due, and the last one stops the timer', () => {
    rota.add(a);
    rota.add(b);
    rota.remove(a);
    expect(clock.timers).toBe(1);
    rota.remove(b);
    expect(clock.timers).toBe(0);
    clock.advance(200);
    expect(due).toEqual([]);
  });

  it('an item that puts itself back goes on in its rhythm', () => {
    const again = new Rota<Thing>(clock, 100, (item) => {
      due.push(`${item}@${clock.now()}`);
      if (due.length < 3) again.add(item);
    });
    again.add(a);
    clock.advance(1000);
    expect(due).toEqual(['a@100', 'a@200', 'a@300']);
    expect(clock.timers).toBe(0);
  });

  it('an item that puts itself back does not delay the others', () => {
    const again = new Rota<Thing>(clock, 100, (item) => {
      due.push(`${item}@${clock.now()}`);
      if (due.length < 4) again.add(item);
    });
    again.add(a);
    clock.advance(40);
    again.add(b);
    clock.advance(1000);
    expect(due).toEqual(['a@100', 'b@140', 'a@200', 'b@240', 'a@300']);
    expect(clock.timers).toBe(0);
  });

  it('an item that removes the others while it is due', () => {
    const last = new Rota<Thing>(clock, 100, (item) => {
      due.push(item.name);
      last.clear();
    });
    last.add(a);
    last.add(b);
    clock.advance(500);
    expect(due).toEqual(['a']);
    expect(clock.timers).toBe(0);
  });
});
