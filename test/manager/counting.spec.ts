import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LatencyHistogram } from '../../lib/manager/latency-histogram.js';
import { PeerStats } from '../../lib/manager/peer-stats.js';
import { Refusals } from '../../lib/manager/refusals.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

describe('latency', () => {
  it('is told within a quarter', () => {
    const histogram = new LatencyHistogram();
    for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms);
    const { count, meanMs, maxMs, p50Ms, p99Ms } = histogram.summary();
    expect([count, meanMs, maxMs]).toEqual([1_000, 500.5, 1_000]);
    expect(p50Ms).toBeGreaterThanOrEqual(500);
    expect(p50Ms).toBeLessThanOrEqual(625);
    expect(p99Ms).toBeGreaterThanOrEqual(990);
    expect(p99Ms).toBeLessThanOrEqual(1_000);
  });

  it('takes nothing, no time and days', () => {
    const histogram = new LatencyHistogram();
    const nothing = { totalMs: 0, meanMs: 0, maxMs: 0, p50Ms: 0, p99Ms: 0 };
    expect(histogram.summary()).toEqual({ ...nothing, count: 0, buckets: [] });
    histogram.add(0);
    expect(histogram.summary()).toEqual({ ...nothing, count: 1, buckets: [{ upToMs: 0.01, count: 1 }] });
    histogram.add(1e12);
    expect(histogram.summary()).toMatchObject({ count: 2, maxMs: 1e12, p99Ms: 1e12 });
  });

  it('comes in buckets whose bounds hold', () => {
    const histogram = new LatencyHistogram();
    const added = [0.5, 1, 1, 3, 70, 9_000, 1e12];
    for (const ms of added) histogram.add(ms);
    const { buckets, totalMs } = histogram.summary();
    expect(totalMs).toBe(added.reduce((total, ms) => total + ms));
    let before = 0;
    let counted = 0;
    for (const { upToMs, count } of buckets) {
      expect(added.filter((ms) => ms > before && ms <= upToMs)).toHaveLength(count);
      counted += count;
      before = upToMs;
    }
    expect(counted).toBe(added.length);
    expect(buckets.map(({ upToMs }) => upToMs)).toContain(1);
  });

  it('of one call stands in the shortest bucket that holds it, at each bound and between', () => {
    const bounds = Array.from({ length: 96 }, (_, bucket) => 0.01 * 10 ** (bucket / 10));
    const bucketOf = (ms: number): number => {
      const histogram = new LatencyHistogram();
      histogram.add(ms);
      return histogram.summary().buckets[0]!.upToMs;
    };
    for (const bound of bounds) {
      const next = bounds.find((other) => other > bound) ?? Infinity;
      const around = [bound * (1 - Number.EPSILON), bound, bound * (1 + 2 * Number.EPSILON)];
      expect([bound, ...around.map(bucketOf)]).toEqual([bound, bound, bound, next]);
    }
    const durations = fc.double({ min: -1, max: 17, noNaN: true }).map((power) => 10 ** power - 0.1);
    fc.assert(
      fc.property(durations, (ms) => bucketOf(ms) === (bounds.find((bound) => ms <= bound) ?? Infinity)),
      { numRuns: 5_000 },
    );
  });
});

describe('the counts of a peer', () => {
  it('keep handlers, kinds and directions apart', () => {
    const stats = new PeerStats(() => {});
    stats.callsOf('outgoing', 'request', 255).ended(undefined, 1);
    stats.callsOf('incoming', 'request', 255).ended('UNKNOWN', 2);
    stats.callsOf('outgoing', 'stream', 255).ended('CANCELLED', 3);
    const twice = stats.callsOf('incoming', 'stream', 255);
    twice.ended('CANCELLED', 4);
    twice.ended('CANCELLED', 4);
    stats.callsOf('outgoing', 'request', 0).ended(undefined, 5);
    stats.dropped('late-answer');
    stats.frameSent(10);
    stats.frameReceived(20);
    const counts = stats.counts();
    expect(counts).toMatchObject({
      bytesIn: 20,
      bytesOut: 10,
      framesIn: 1,
      framesOut: 1,
      dropped: { 'late-answer': 1 },
    });
    expect(
      counts.handlers.map(({ handler, direction, kind, calls, errors }) => [handler, direction, kind, calls, errors]),
    ).toEqual([
      [0, 'outgoing', 'request', 1, {}],
      [255, 'outgoing', 'request', 1, {}],
      [255, 'incoming', 'request', 1, { UNKNOWN: 1 }],
      [255, 'outgoing', 'stream', 1, { CANCELLED: 1 }],
      [255, 'incoming', 'stream', 2, { CANCELLED: 2 }],
    ]);
  });
});

describe('the counts of handlers that have a pattern', () => {
  it('are kept apart, the open streams too', () => {
    const stats = new PeerStats(() => {});
    stats.callsOf('incoming', 'request', 255, 'sum').ended(undefined, 1);
    stats.callsOf('incoming', 'request', 60, '60/disk1').ended('ABORTED', 1);
    stats.callsOf('incoming', 'request', 60, '60/disk2').ended(undefined, 1);
    stats.callsOf('incoming', 'request', 60).ended(undefined, 1);
    const observers = ['60/disk1', '60/disk2'].map((pattern) => stats.callsOf('incoming', 'stream', 60, pattern));
    for (const observer of observers) observer.opened();
    const flow = { credits: 3, starved: false, unread: 0 };
    const { handlers } = stats.counts([
      { ...flow, observer: observers[0]! },
      { ...flow, observer: observers[1]!, credits: 4 },
    ]);
    const told = handlers.map((one) => [one.handler, one.pattern, one.kind, one.credits, one.errors]);
    expect(told).toEqual([
      [60, undefined, 'request', 0, {}],
      [60, '60/disk1', 'request', 0, { ABORTED: 1 }],
      [60, '60/disk2', 'request', 0, {}],
      [60, '60/disk1', 'stream', 3, {}],
      [60, '60/disk2', 'stream', 4, {}],
      [255, 'sum', 'request', 0, {}],
    ]);
  });

  it('are no more than 1,024: names that come and go for ever fill no memory', () => {
    const stats = new PeerStats(() => {});
    for (let index = 0; index < 2_000; index++) {
      stats.callsOf('incoming', 'request', 60, `60/${index}`).ended(undefined, 1);
    }
    stats.callsOf('incoming', 'request', 60, '60/0').ended(undefined, 1);
    // those of the other direction have a place of their own
    stats.callsOf('outgoing', 'request', 60, '60/0').ended(undefined, 1);
    const { handlers } = stats.counts();
    expect(handlers).toHaveLength(1_026);
    expect(handlers.slice(0, 3)).toMatchObject([
      { direction: 'outgoing', pattern: '60/0', calls: 1 },
      { direction: 'incoming', pattern: undefined, calls: 976 },
      { direction: 'incoming', pattern: '60/0', calls: 2 },
    ]);
  });
});

describe('refusals', () => {
  it('are counted by the minute', () => {
    const clock = new ManualClock();
    const refusals = new Refusals(clock, 2);
    for (let i = 0; i < 2; i++) {
      expect(refusals.tooMany('a')).toBe(false);
      refusals.count('a');
    }
    expect(refusals.tooMany('a')).toBe(true);
    expect(refusals.tooMany('b')).toBe(false);
    clock.advance(59_999);
    expect(refusals.tooMany('a')).toBe(true);
    clock.advance(1);
    expect(refusals.tooMany('a')).toBe(false);
  });

  it('of thousands of addresses are counted for the first thousand, and lock nobody else out', () => {
    const refusals = new Refusals(new ManualClock(), 2);
    for (let i = 0; i < 5_000; i++) {
      refusals.count(`10.0.0.${i}`);
      refusals.count(`10.0.0.${i}`);
    }
    expect(refusals.tooMany('10.0.0.999')).toBe(true);
    expect(refusals.tooMany('10.0.0.1000')).toBe(false);
    expect(refusals.tooMany('10.0.1.1')).toBe(false);
  });

  it('are worth one line an hour for an address, and so many lines in all', () => {
    const clock = new ManualClock();
    const refusals = new Refusals(clock, 2);
    expect(refusals.worthLogging('a')).toBe(true);
    expect(refusals.worthLogging('a')).toBe(false);
    let lines = 1;
    for (let i = 0; i < 5_000; i++) if (refusals.worthLogging(`10.0.0.${i}`)) lines++;
    expect(lines).toBe(100);
    clock.advance(60 * 60_000);
    expect(refusals.worthLogging('a')).toBe(true);
  });
});
