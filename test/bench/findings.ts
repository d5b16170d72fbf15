import type { Measurement } from './measurement.js';
import { spreadOf, type Spread } from './spread.js';

/** What tells measurements of one thing apart from all others; left out: any. */
export type Selection = Partial<Pick<Measurement, 'case' | 'api' | 'variant' | 'payload' | 'outstanding'>>;

export type Figure = (measurement: Measurement) => number | null | undefined;

/** All that a benchmark has measured. */
export class Findings {
  constructor(private readonly all: readonly Measurement[]) {}

  get count(): number {
    return this.all.length;
  }

  of(selection: Selection): Findings {
    const facts = Object.entries(selection) as [keyof Selection, string | number][];
    return new Findings(this.all.filter((measurement) => facts.every(([key, value]) => measurement[key] === value)));
  }

  /** The different values of a fact, in the order in which they came. */
  distinct<K extends keyof Selection>(key: K): Measurement[K][] {
    return [...new Set(this.all.map((measurement) => measurement[key]))];
  }

  /** One of each thing: the rounds of it together. */
  groups(): Findings[] {
    const groups = new Map<string, Measurement[]>();
    for (const measurement of this.all) {
      const { case: name, api, variant, payload, outstanding } = measurement;
      const key = [name, payload, outstanding, api, variant].join('/');
      groups.set(key, [...(groups.get(key) ?? []), measurement]);
    }
    return [...groups.values()].map((group) => new Findings(group));
  }

  get first(): Measurement | undefined {
    return this.all[0];
  }

  /** Over the rounds; undefined where nobody measured it. */
  spread(figure: Figure): Spread | undefined {
    const values = this.all.map(figure).filter((value) => typeof value === 'number');
    return values.length === 0 ? undefined : spreadOf(values);
  }

  median(figure: Figure): number | undefined {
    return this.spread(figure)?.median;
  }

  /** What the cases counted under that name. */
  figure(name: string): Spread | undefined {
    return this.spread((measurement) => measurement.figures[name]);
  }
}

export const rate: Figure = (measurement) => measurement.rps;
export const cpu: Figure = (measurement) => measurement.cpuSPer100k;
