import type { Flags } from './flags.js';
import { violationLines, type Violation } from './violation.js';

/** How many of the faults before a violation are shown with it, and how many violations are shown. */
const SHOWN_FAULTS = 12;
const SHOWN_VIOLATIONS = 5;
const SHOWN_ERRORS = 8;

interface Figures {
  readonly flags: Flags;
  readonly seconds: number;
  readonly operations: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly errors: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly calls: number;
  readonly notSent: number;
  readonly lockChecks: number;
  readonly reconnects: number;
  readonly unavailable: Readonly<Record<'write' | 'read', number>>;
  readonly violations: readonly Violation[];
  readonly told: readonly string[];
}

/** What came of a run. */
export class Outcome {
  constructor(private readonly figures: Figures) {}

  get violations(): readonly Violation[] {
    return this.figures.violations;
  }

  lines(): string[] {
    const { figures } = this;
    const { seed, nodes, minutes } = figures.flags;
    const lines = ['', `seed ${seed}, ${nodes} nodes, ${minutes} min of faults, ${figures.seconds.toFixed(0)} s`];
    for (const [kind, outcomes] of figures.operations) {
      const parts = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`);
      lines.push(`  ${kind.padEnd(8)} ${parts.join(', ')}`);
    }
    lines.push(`  faults   ${[...figures.faults].map(([fault, count]) => `${count} ${fault}`).join(', ')}`);
    lines.push(`  calls between nodes: ${figures.calls}, of which ${figures.notSent} notSent`);
    lines.push(`  checks of locks that are held: ${figures.lockChecks}`);
    lines.push(`  reconnects: ${figures.reconnects}`);
    const [write, read] = [figures.unavailable.write, figures.unavailable.read].map((ms) => (ms / 1000).toFixed(1));
    lines.push(`  longest time without a write ${write} s, without a read ${read} s`);
    const errors = [...figures.errors].sort(([, a], [, b]) => b - a).slice(0, SHOWN_ERRORS);
    if (errors.length > 0) lines.push('  what clients were told most:');
    for (const [text, count] of errors) lines.push(`    ${String(count).padStart(6)}  ${text}`);
    lines.push(`  violations: ${figures.violations.length}`);
    if (figures.violations.length === 0) return lines;
    lines.push('', ...figures.violations.slice(0, SHOWN_VIOLATIONS).flatMap(violationLines), '', 'the last faults:');
    return [...lines, ...figures.told.slice(-SHOWN_FAULTS)];
  }

  report(): unknown {
    const { operations, errors, faults, ...plain } = this.figures;
    const counts = Object.fromEntries([...operations].map(([kind, outcomes]) => [kind, Object.fromEntries(outcomes)]));
    return { ...plain, operations: counts, errors: Object.fromEntries(errors), faults: Object.fromEntries(faults) };
  }
}
