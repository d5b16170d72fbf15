import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Line, type Place } from '../../lib/calls/line.js';
import { Fifo } from '../../lib/mux/fifo.js';

describe('things that wait', () => {
  it('a line lets go of any of them, once, and keeps the order of the others', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 200 }), (steps) => {
        const line = new Line<number>();
        const places: Place<number>[] = [];
        let model: number[] = [];
        steps.forEach((choice, step) => {
          if (choice < 5) {
            places.push(line.add(step));
            model.push(step);
          } else if (choice < 7) {
            expect(line.shift()).toBe(model.shift());
          } else if (places.length > 0) {
            const place = places[(step * 7) % places.length]!;
            expect(line.remove(place)).toBe(model.includes(place.item));
            model = model.filter((item) => item !== place.item);
          }
          expect(line.length).toBe(model.length);
        });
        for (const item of model) expect(line.shift()).toBe(item);
        expect([line.shift(), line.length]).toEqual([undefined, 0]);
      }),
    );
  });

  it('a queue gives what came first, through every size of its memory', () => {
    // runs of pushes and shifts, long enough for what was taken to be cut off
    const runs = fc.array(fc.record({ pushes: fc.nat({ max: 1_500 }), shifts: fc.nat({ max: 1_500 }) }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(runs, (made) => {
        const queue = new Fifo<number>();
        let pushed = 0;
        let taken = 0;
        for (const { pushes, shifts } of made) {
          for (let count = 0; count < pushes; count++) queue.push(pushed++);
          for (let count = 0; count < shifts; count++) {
            const item = queue.shift();
            if (item !== (taken < pushed ? taken : undefined)) throw new Error(`${item} in place of ${taken}`);
            if (item !== undefined) taken++;
          }
          expect(queue.length).toBe(pushed - taken);
        }
        while (queue.length > 0) expect(queue.shift()).toBe(taken++);
        expect([taken, queue.shift()]).toEqual([pushed, undefined]);
      }),
    );
  });
});
