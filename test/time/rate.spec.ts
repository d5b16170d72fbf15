import { expect, it } from '@jest/globals';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Rate } from '../../lib/time/index.js';

it('says of each one past the number of its second that it is too many', () => {
  const clock = new ManualClock();
  const rate = new Rate(clock, 2);
  const four = (): boolean[] => Array.from({ length: 4 }, () => rate.exceeded());
  expect(four()).toEqual([false, false, true, true]);
  clock.advance(999);
  expect(rate.exceeded()).toBe(true);
  clock.advance(1);
  expect(four()).toEqual([false, false, true, true]);
});
