import { describe, expect, test } from '@jest/globals';
import { LatencyHistogram } from './latency-histogram.js';
import { measurementOf, type Finding, type Measurement } from './measurement.js';
import { frameTable } from './profile-summary.js';
import { tablesOf } from './report.js';
import type { Run } from './run.js';
import { spreadOf } from './spread.js';
import { markdownOf, textOf } from './table.js';
import { TARGETS } from './targets.js';
import { verdictOf } from './verdict.js';

const RUN: Run = {
  case: 'unary',
  api: 'raw',
  part: '',
  payload: 512,
  outstanding: 64,
  round: 1,
  warmUpMs: 1,
  measureMs: 1,
  scale: 1,
  tls: false,
  heapMb: 0,
  v8: [],
};

function measured(run: Partial<Run>, finding: Finding): Measurement {
  return measurementOf({ ...RUN, ...run }, finding);
}

describe('latencies', () => {
  test('quantiles are exact to a microsecond below 10 ms, to ten below 1 s', () => {
    const histogram = new LatencyHistogram();
    for (let microseconds = 1; microseconds <= 100; microseconds++) histogram.add(microseconds / 1000 - 0.0005);
    expect(histogram.count).toBe(100);
    expect(histogram.quantile(0.5)).toBeCloseTo(0.05, 6);
    expect(histogram.quantile(0.99)).toBeCloseTo(0.099, 6);
    const slow = new LatencyHistogram();
    slow.add(500.004);
    expect(slow.quantile(0.5)).toBeCloseTo(500.01, 6);
    slow.add(90_000);
    expect(slow.quantile(1)).toBeGreaterThan(1_000);
  });

  test('none are no number; two histograms together count both', () => {
    const one = new LatencyHistogram();
    expect(one.quantile(0.5)).toBeNaN();
    one.add(1);
    const other = new LatencyHistogram();
    other.add(3);
    other.add(3);
    const both = one.with(other);
    expect([both.count, one.count]).toEqual([3, 1]);
    expect(both.quantile(0.5)).toBeCloseTo(3.001, 6);
  });
});

test('a median of rounds, and how far they are apart', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});

describe('a line of JSON', () => {
  test('has every field, null where a case does not measure it', () => {
    const line = JSON.parse(JSON.stringify(measured({ round: 2 }, { rps: 10 }))) as Measurement;
    expect(line).toMatchObject({ case: 'unary', api: 'raw', payload: 512, outstanding: 64, round: 2, rps: 10 });
    for (const field of ['p50Ms', 'p99Ms', 'cpuSPer100k', 'rssMb', 'bytesPerUnit'] as const) {
      expect(line[field]).toBeNull();
    }
    expect(line.errors).toBe(0);
  });
});

describe('the tables', () => {
  const measurements = [
    measured({}, { rps: 100_000, p50Ms: 0.5, errors: 0 }),
    measured({ api: 'ws-batch' }, { rps: 50_000, p50Ms: 0.5 }),
    measured({ round: 2 }, { rps: 300_000, p50Ms: 0.7, errors: 2 }),
    measured({ round: 3 }, { rps: 200_000, p50Ms: 0.6 }),
  ];
  const [table] = tablesOf(measurements);

  test('hold medians, spreads, ratios to the yard-sticks of the same run, and the worst of the errors', () => {
    const row = Object.fromEntries(table!.head.map((name, column) => [name, table!.rows[0]![column]]));
    expect(row).toMatchObject({
      api: 'raw',
      'per second': '200.0k',
      '[min-max]': '[100.0k-300.0k]',
      'x ws-batch': '4.00',
      'p50 ms': '0.600',
      errors: '2',
    });
  });

  test('hold each of our ways against a yard-stick that knows one only', () => {
    const ways = { raw: { Observable: 30, generator: 20 }, 'ws-batch': { '': 40 }, 'nest-tcp': { generator: 10 } };
    const runs = Object.entries(ways).flatMap(([api, rates]) =>
      Object.entries(rates).map(([variant, rps]) => {
        return measured({ case: 'stream10', api: api as Run['api'] }, { variant, rps });
      }),
    );
    const [streams] = tablesOf(runs);
    const ratios = ['of', 'x ws-batch', 'x nest-tcp'].map((name) => streams!.head.indexOf(name));
    const [observable, generator] = streams!.rows.map((row) => ratios.map((column) => row[column]));
    expect(observable).toEqual(['Observable', '0.75', '-']);
    expect(generator).toEqual(['generator', '0.50', '2.00']);
  });

  test('leave out what the case does not measure', () => {
    expect(table!.head).not.toContain('bytes per unit');
    expect(table!.head).not.toContain('x nest-tcp');
  });

  test('print as text and as Markdown', () => {
    expect(textOf(table!)).toMatch(/^unary: one call[^\n]+\n\npayload  outstanding  api/);
    const lines = markdownOf({ title: 'A', head: ['b', 'c'], rows: [['1', 'x|y']] }).split('\n');
    expect(lines).toEqual(['### A', '', '| b | c |', '| --- | --- |', '| 1 | x\\|y |', '']);
  });
});

describe('the verdict', () => {
  test('judges what was measured and nothing else', () => {
    const figures = { 'x rate': 0.95, 'x p99': 2 };
    const beside = measured({ case: 'stall' }, { variant: 'with a stalled stream', figures });
    const verdict = verdictOf([beside])!;
    expect(verdict.title).toBe('Targets: 1 of 2 met, 1 not');
    expect(verdict.rows.map((row) => row[3])).toEqual(['met', 'NOT MET']);
    expect(verdictOf([])).toBeUndefined();
  });

  test('a ratio is of the medians; one call at a time may wobble', () => {
    const pair = (outstanding: number, ours: number): Measurement[] => [
      measured({ outstanding }, { rps: ours }),
      measured({ outstanding, api: 'ws-batch' }, { rps: 100 }),
    ];
    const judged = (ours: number, outstanding: number): string => verdictOf(pair(outstanding, ours))!.rows[0]![3]!;
    expect([judged(96, 1), judged(94, 1)]).toEqual(['met', 'NOT MET']);
    expect([judged(100, 64), judged(99, 64)]).toEqual(['met', 'NOT MET']);
  });

  test('short streams are judged by the source that is most like the yard-stick', () => {
    const streams = (variant: string, rps: number): Measurement =>
      measured({ case: 'stream10' }, { variant, rps });
    const yard = measured({ case: 'stream10', api: 'ws-batch' }, { rps: 100 });
    const judged = (observable: number, generator: number): string[] =>
      verdictOf([streams('Observable', observable), streams('generator', generator), yard])!.rows.map((row) => row[3]!);
    expect([judged(65, 1), judged(64, 100)]).toEqual([['met'], ['NOT MET']]);
  });

  test('memory that is given back does not count as left behind', () => {
    const freed = measured({ case: 'memory' }, { figures: { 'KiB more, client': -100, 'timers more': 1 } });
    expect(verdictOf([freed])!.rows.map((row) => row[3])).toEqual(['met', 'NOT MET']);
  });

  test('an overflow without its error is not met', () => {
    const overflow = (errors: number): Measurement =>
      measured({ case: 'frozen' }, { variant: 'Observable', errors, figures: { 'produced and not consumed': 1089 } });
    expect(verdictOf([overflow(0)])!.rows[0]![3]).toBe('met');
    expect(verdictOf([overflow(1)])!.rows[0]![3]).toBe('NOT MET');
  });

  test('every target says what it is about in words of its own', () => {
    const names = TARGETS.map(({ what }) => what);
    expect(new Set(names).size).toBe(names.length);
  });
});

test('a profile is summed by function, idle time and the profiler left out', () => {
  const frame = (functionName: string, url = '', lineNumber = 0) => ({
    functionName,
    url,
    lineNumber,
    scriptId: '0',
    columnNumber: 0,
  });
  const nodes = [frame('(root)'), frame('(idle)'), frame('send', '/x/node_modules/ws/lib/sender.js', 9), frame('')];
  const profile = {
    nodes: nodes.map((callFrame, index) => ({ id: index + 1, callFrame })),
    startTime: 0,
    endTime: 100,
    samples: [1, 2, 3, 3, 4],
    timeDeltas: [5, 50, 30, 30, 20],
  };
  const table = frameTable('unary.raw.client', profile);
  expect(table.title).toBe('Profile: unary.raw.client');
  expect(table.rows).toEqual([
    ['75.0 %', 'send', 'ws/lib/sender.js:10'],
    ['25.0 %', '(anonymous)', 'native'],
  ]);
});
