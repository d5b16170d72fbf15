import { Findings } from './findings.js';
import type { Measurement } from './measurement.js';
import type { Table } from './table.js';
import { TARGETS } from './targets.js';

/** Each target that the run has measured, and whether it is met; undefined where it measured none. */
export function verdictOf(measurements: readonly Measurement[]): Table | undefined {
  const all = new Findings(measurements);
  const rows = TARGETS.flatMap(({ what, target, judge }) => {
    const judged = judge(all);
    return judged ? [[what, judged.measured, target, judged.met ? 'met' : 'NOT MET']] : [];
  });
  if (rows.length === 0) return undefined;
  const missed = rows.filter((row) => row[3] !== 'met').length;
  const title = `Targets: ${rows.length - missed} of ${rows.length} met${missed > 0 ? `, ${missed} not` : ''}`;
  return { title, head: ['what', 'measured', 'target', ''], rows };
}
