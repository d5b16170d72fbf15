import { describe, expect, it } from '@jest/globals';
import { Gate } from '../../lib/calls/gate.js';

describe('the gate of a handler with a concurrency', () => {
  it('lets any number of calls that end at once follow one another', () => {
    const gate = new Gate(1, Infinity);
    const started: number[] = [];
    gate.enter(() => {});
    for (let call = 0; call < 50_000; call++) {
      gate.enter(() => {
        started.push(call);
        gate.leave();
      });
    }
    gate.leave();
    expect(started).toEqual(Array.from({ length: 50_000 }, (_, call) => call));
  });

  it('one that comes while the others are let in stands behind them, and the place of each is free in the end', () => {
    const gate = new Gate(1, 2);
    const order: string[] = [];
    gate.enter(() => order.push('a'));
    gate.enter(() => {
      order.push('b');
      gate.leave();
      gate.enter(() => {
        order.push('d');
        gate.leave();
      });
    });
    gate.enter(() => {
      order.push('c');
      gate.leave();
    });
    expect(gate.full).toBe(true);
    gate.leave();
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    gate.enter(() => order.push('e'));
    expect([order.at(-1), gate.full]).toEqual(['e', false]);
  });
});
