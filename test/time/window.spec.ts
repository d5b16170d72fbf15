import { expect, it } from '@jest/globals';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Window } from '../../lib/time/index.js';

it('turns at the first look, then when its length has passed', () => {
  const clock = new ManualClock();
  const window = new Window(clock, 100);
  expect([window.turned(), window.turned()]).toEqual([true, false]);
  clock.advance(99);
  expect(window.turned()).toBe(false);
  clock.advance(1);
  expect([window.turned(), window.turned()]).toEqual([true, false]);
});

it('a piece begins when it is asked for, not where the one before ended', () => {
  const clock = new ManualClock();
  const window = new Window(clock, 100);
  window.turned();
  clock.advance(150);
  expect(window.turned()).toBe(true);
  clock.advance(99);
  expect(window.turned()).toBe(false);
  clock.advance(1);
  expect(window.turned()).toBe(true);
});

it('turns once however much time has passed, and needs no timer', () => {
  const clock = new ManualClock();
  const window = new Window(clock, 100);
  window.turned();
  clock.advance(10_000);
  expect([window.turned(), window.turned()]).toEqual([true, false]);
  expect(clock.timers).toBe(0);
});
