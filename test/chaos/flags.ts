import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export interface Flags {
  /** How long faults are made. What follows, until the cluster is whole again, is not counted. */
  readonly minutes: number;
  /** All chance of the run comes from it. */
  readonly seed: number;
  readonly nodes: number;
  /** Where the outcome goes as JSON. */
  readonly report: string | undefined;
  /** Leave the nodes' data and journals. */
  readonly keep: boolean;
}

export const USAGE = 'npm run chaos -- [--minutes 1] [--seed N] [--nodes 4] [--report FILE] [--keep]';

/** Throws on anything that it does not know. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(randomInt(1, 2 ** 31)) },
      nodes: { type: 'string', default: '4' },
      report: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  return {
    minutes: within('minutes', Number(values.minutes), 0.1, 10_000),
    seed: whole('seed', Number(values.seed), 0, 2 ** 32 - 1),
    nodes: whole('nodes', Number(values.nodes), 3, 16),
    report: values.report,
    keep: values.keep,
  };
}

function whole(flag: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value)) return within(flag, value, least, most);
  throw new Error(`--${flag} must be a whole number`);
}

function within(flag: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new Error(`--${flag} must be from ${least} to ${most}`);
}
