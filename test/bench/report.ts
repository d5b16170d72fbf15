import { CASES, YARDSTICK, type CaseName } from './case-table.js';
import type { RunResult } from './pair.js';

const NOTES = [
  'Medians of the rounds. CPU: both processes together. Other load: cores that something else kept busy, at worst;',
  'above 0.2 the rates mean little, the CPU per call still something.',
];

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

const rateOf = (run: RunResult): number => (run.calls / run.elapsedMs) * 1000;

/** All runs of a benchmark and what they say. */
export class Report {
  private readonly runs = new Map<string, RunResult[]>();

  constructor(
    private readonly cases: readonly CaseName[],
    private readonly outstanding: readonly number[],
  ) {}

  add(name: CaseName, outstanding: number, run: RunResult): void {
    const key = `${name} ${outstanding}`;
    this.runs.set(key, [...(this.runs.get(key) ?? []), run]);
  }

  private spread(name: CaseName, outstanding: number, of: (run: RunResult) => number): Spread | undefined {
    const runs = this.runs.get(`${name} ${outstanding}`);
    return runs && spreadOf(runs.map(of));
  }

  lines(): string[] {
    const header = [
      'outstanding',
      'case',
      'req/s',
      '[min-max]',
      'p50 ms',
      'p99 ms',
      'CPU s/100k',
      'other load',
      `x ${YARDSTICK}`,
    ];
    const rows = this.outstanding.flatMap((outstanding) => this.cases.map((name) => this.row(name, outstanding)));
    const titles = this.cases.map((name) => `${name}: ${CASES[name].title}`);
    return [...titles, '', ...table([header, ...rows]), '', ...NOTES];
  }

  private row(name: CaseName, outstanding: number): string[] {
    const rate = this.spread(name, outstanding, rateOf)!;
    const yardstick = this.spread(YARDSTICK, outstanding, rateOf);
    const median = (of: (run: RunResult) => number): number => this.spread(name, outstanding, of)!.median;
    return [
      String(outstanding),
      name,
      thousands(rate.median),
      `[${thousands(rate.min)}-${thousands(rate.max)}]`,
      median((run) => run.p50Ms).toFixed(2),
      median((run) => run.p99Ms).toFixed(2),
      median((run) => (run.cpuSeconds / run.calls) * 100_000).toFixed(2),
      this.spread(name, outstanding, (run) => run.foreignCores)!.max.toFixed(1),
      yardstick ? (rate.median / yardstick.median).toFixed(2) : '-',
    ];
  }
}

function thousands(rate: number): string {
  return `${(rate / 1000).toFixed(1)}k`;
}

function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  );
}
