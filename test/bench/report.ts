import { caseEntry, type CaseName } from './case-table.js';
import { Findings, rate } from './findings.js';
import type { Measurement } from './measurement.js';
import type { Spread } from './spread.js';
import type { Table } from './table.js';

/** The ratios of a table are against these, where they were measured in the same run. */
const YARDSTICKS = ['ws-batch', 'nest-tcp'] as const;

/** One table per case, of what it has measured. */
export function tablesOf(measurements: readonly Measurement[]): Table[] {
  const all = new Findings(measurements);
  return all.distinct('case').map((name) => caseTable(name as CaseName, all.of({ case: name })));
}

interface Column {
  readonly head: string;
  cell(group: Findings, all: Findings): string | undefined;
}

const COLUMNS: readonly Column[] = [
  { head: 'payload', cell: (group) => String(group.first!.payload) },
  { head: 'outstanding', cell: (group) => String(group.first!.outstanding) },
  { head: 'api', cell: (group) => group.first!.api },
  { head: 'of', cell: (group) => group.first!.variant },
  { head: 'per second', cell: (group) => shown(group.spread((one) => one.rps), thousands) },
  { head: '[min-max]', cell: (group) => range(group.spread((one) => one.rps)) },
  ...YARDSTICKS.map((yardstick) => ({
    head: `x ${yardstick}`,
    cell: (group: Findings, all: Findings) => ratio(group, all, yardstick),
  })),
  { head: 'p50 ms', cell: (group) => shown(group.spread((one) => one.p50Ms), (ms) => ms.toFixed(3)) },
  { head: 'p99 ms', cell: (group) => shown(group.spread((one) => one.p99Ms), (ms) => ms.toFixed(2)) },
  { head: 'CPU s/100k', cell: (group) => shown(group.spread((one) => one.cpuSPer100k), (s) => s.toFixed(2)) },
  { head: 'RSS MB client', cell: (group) => memory(group, 'clientRssMb', 'clientPeakRssMb') },
  { head: 'RSS MB server', cell: (group) => memory(group, 'rssMb', 'serverPeakRssMb') },
  { head: 'bytes per unit', cell: (group) => shown(group.spread((one) => one.bytesPerUnit), (b) => b.toFixed(0)) },
  { head: 'counted', cell: (group) => counted(group) },
  { head: 'errors', cell: (group) => String(group.spread((one) => one.errors)!.max) },
  { head: 'other load', cell: (group) => shown(worst(group.spread((one) => one.foreignCores)), (c) => c.toFixed(1)) },
];

function caseTable(name: CaseName, all: Findings): Table {
  const groups = all.groups();
  const cells = COLUMNS.map(({ head, cell }) => ({ head, cells: groups.map((group) => cell(group, all)) }));
  // a column that nobody of this case fills is left out
  const filled = cells.filter((column) => column.cells.some((cell) => cell !== undefined && cell !== ''));
  return {
    title: `${name}: ${caseEntry(name).title}`,
    head: filled.map(({ head }) => head),
    rows: groups.map((_, row) => filled.map((column) => column.cells[row] ?? '-')),
  };
}

function shown(spread: Spread | undefined, text: (value: number) => string): string | undefined {
  return spread && text(spread.median);
}

function worst(spread: Spread | undefined): Spread | undefined {
  return spread && { ...spread, median: spread.max };
}

function range(spread: Spread | undefined): string | undefined {
  return spread && `[${thousands(spread.min)}-${thousands(spread.max)}]`;
}

export function thousands(perSecond: number): string {
  return perSecond < 1_000 ? perSecond.toFixed(0) : `${(perSecond / 1000).toFixed(1)}k`;
}

function ratio(group: Findings, all: Findings, yardstick: string): string | undefined {
  const { payload, outstanding, variant } = group.first!;
  const yard = all.of({ api: yardstick, payload, outstanding });
  // of what a yard-stick knows one way only, all of our ways stand against that
  const theirs = yard.of({ variant }).median(rate) ?? yard.of({ variant: '' }).median(rate);
  const ours = group.median(rate);
  return ours === undefined || theirs === undefined ? undefined : (ours / theirs).toFixed(2);
}

function memory(
  group: Findings,
  end: 'rssMb' | 'clientRssMb',
  peak: 'serverPeakRssMb' | 'clientPeakRssMb',
): string | undefined {
  const atEnd = group.median((one) => one[end]);
  return atEnd === undefined ? undefined : `${atEnd.toFixed(0)} (${group.median((one) => one[peak])!.toFixed(0)})`;
}

function counted(group: Findings): string {
  return Object.keys(group.first!.figures)
    .map((name) => `${name} ${shown(group.figure(name), plain) ?? '-'}`)
    .join(', ');
}

function plain(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
