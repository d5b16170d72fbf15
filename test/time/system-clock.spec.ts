import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../lib/time/index.js';

const { setTimer, now } = systemClock;

/** When each named timer fired, since the test began. */
let fired: string[];
let from: number;

beforeEach(() => {
  jest.useFakeTimers();
  fired = [];
  from = now();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** Timers that are asked of Node from now on. */
function countTimers(): () => number {
  const asked = jest.spyOn(globalThis, 'setTimeout');
  return () => asked.mock.calls.length;
}

function note(name: string): () => void {
  return () => fired.push(`${name}@${now() - from}`);
}

describe('a timer of the system clock', () => {
  it('fires once, when its delay has passed', () => {
    setTimer(250, note('a'));
    setTimer(0, note('b'));
    jest.advanceTimersByTime(10_000);
    expect(fired).toEqual(['b@0', 'a@250']);
  });

  it('fires no sooner, though a timer of Node rings up to a millisecond too early', () => {
    const { setTimeout: exact } = globalThis;
    const early = ((ring: () => void, delayMs: number) => exact(ring, delayMs - 1)) as typeof setTimeout;
    jest.spyOn(globalThis, 'setTimeout').mockImplementationOnce(early);
    setTimer(250, note('a'));
    jest.advanceTimersByTime(249);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual(['a@250']);
  });

  it('asks Node for whole milliseconds, rounded up: it cuts fractions off', () => {
    const asked = jest.spyOn(globalThis, 'setTimeout');
    setTimer(20.25, note('a')).cancel();
    expect(asked).toHaveBeenCalledWith(expect.any(Function), 21);
  });

  it('asks Node for no negative time where it is late: newer ones warn of it', () => {
    const asked = jest.spyOn(globalThis, 'setTimeout');
    setTimer(-59, note('late'));
    expect(asked.mock.calls.map(([, delayMs]) => delayMs)).toEqual([0]);
    jest.advanceTimersByTime(0);
    expect(fired).toEqual(['late@0']);
  });

  it('follows fake timers beside a time that is real', () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    let rang = false;
    setTimer(60_000, () => (rang = true));
    jest.advanceTimersByTime(60_000);
    expect(rang).toBe(true);
  });

  it('waits longer than the 2^31-1 ms of setTimeout', () => {
    const made = countTimers();
    const delayMs = 2 ** 32 + 5;
    setTimer(delayMs, note('a'));
    jest.advanceTimersByTime(delayMs - 1);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect([fired, made()]).toEqual([[`a@${delayMs}`], 3]);
  });

  it('does not fire once it was cancelled, whoever took over what it left', () => {
    const first = setTimer(100, note('a'));
    first.cancel();
    setTimer(300, note('b'));
    first.cancel();
    jest.advanceTimersByTime(1_000);
    expect(fired).toEqual(['b@300']);
  });

  it('can be cancelled after it has fired', () => {
    const first = setTimer(100, note('a'));
    jest.advanceTimersByTime(100);
    setTimer(100, note('b'));
    first.cancel();
    jest.advanceTimersByTime(100);
    expect(fired).toEqual(['a@100', 'b@200']);
  });

  it('costs no timer of Node where the one before was cancelled: 1,000 one after the other', () => {
    const made = countTimers();
    for (let call = 0; call < 1_000; call++) {
      setTimer(15_000, note(`cancelled ${call}`)).cancel();
      jest.advanceTimersByTime(1);
    }
    expect(made()).toBe(1);
    setTimer(15_000, note('last'));
    jest.advanceTimersByTime(60_000);
    expect(fired).toEqual(['last@16000']);
  });

  it('that is due before the one that was kept fires in its own time', () => {
    setTimer(1_000, note('cancelled')).cancel();
    setTimer(10, note('a'));
    setTimer(2_000, note('b'));
    jest.advanceTimersByTime(5_000);
    expect(fired).toEqual(['a@10', 'b@2000']);
  });

  it('of two that were cancelled leaves the earlier one, and no third', () => {
    const made = countTimers();
    const timers = [300, 100, 200].map((delayMs) => setTimer(delayMs, note('cancelled')));
    for (const timer of timers) timer.cancel();
    expect(jest.getTimerCount()).toBe(1);
    setTimer(150, note('a'));
    expect(made()).toBe(3);
    jest.advanceTimersByTime(1_000);
    expect(fired).toEqual(['a@150']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('that was kept and is needed by nobody rings for nobody', () => {
    setTimer(100, note('cancelled')).cancel();
    jest.advanceTimersByTime(100);
    expect(jest.getTimerCount()).toBe(0);
    setTimer(100, note('a'));
    jest.advanceTimersByTime(100);
    expect(fired).toEqual(['a@200']);
  });

  it('is made by the globals of now: what is left of real ones is no use to fake ones, nor the other way', async () => {
    const warnings = jest.spyOn(console, 'warn');
    const running = setTimer(60_000, note('fake'));
    setTimer(1, note('fake')).cancel();
    jest.useRealTimers();
    running.cancel();
    await new Promise<void>((resolve) => setTimer(20, resolve));
    const real = [60_000, 1].map((delayMs) => setTimer(delayMs, note('real')));
    real[1]!.cancel();
    jest.useFakeTimers();
    real[0]!.cancel();
    from = now();
    setTimer(40, note('cancelled')).cancel();
    setTimer(30, note('a'));
    jest.advanceTimersByTime(100_000);
    expect(fired).toEqual(['a@30']);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('shows nobody what AsyncLocalStorage held for the one before', async () => {
    jest.useRealTimers();
    const request = new AsyncLocalStorage<string>();
    request.run('the first', () => setTimer(1, note('cancelled')).cancel());
    const shown = await new Promise((resolve) => {
      request.run('the second', () => setTimer(1, () => resolve(request.getStore())));
    });
    expect(shown).toBeUndefined();
  });

  it('that was cancelled keeps no process alive, and the next one does', () => {
    jest.useRealTimers();
    const alive = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = alive();
    setTimer(60_000, note('cancelled')).cancel();
    expect(alive()).toBe(before);
    const next = setTimer(60_000, note('cancelled'));
    expect(alive()).toBe(before + 1);
    next.cancel();
    expect(alive()).toBe(before);
  });
});
