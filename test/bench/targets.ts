import { Findings, rate, type Figure } from './findings.js';
import { thousands } from './report.js';
import type { Spread } from './spread.js';

/** What was measured, held against a target. */
export interface Judged {
  readonly measured: string;
  readonly met: boolean;
}

export interface Target {
  readonly what: string;
  readonly target: string;
  /** Undefined where the run did not measure it. */
  judge(all: Findings): Judged | undefined;
}

const OUTSTANDING = [1, 16, 64, 256];
/** One call at a time shows the wake-up of two processes, which wobbles by so much. */
const NOISE = 0.05;

function ratioTarget(
  what: string,
  selection: { case: string; payload: number; outstanding: number },
  [ours, theirs]: readonly [string, string],
  least: number,
  { noise = 0, variant = '' } = {},
): Target {
  return {
    what: `${what}, ${selection.payload} B, ${selection.outstanding} outstanding`,
    target: `at least ${least} x ${theirs}${noise > 0 ? ', within noise' : ''}`,
    judge(all) {
      const mine = all.of({ ...selection, api: ours, variant }).spread(rate);
      const other = all.of({ ...selection, api: theirs }).spread(rate);
      if (!mine || !other) return undefined;
      const ratio = mine.median / other.median;
      const rates = `${thousands(mine.median)} against ${thousands(other.median)} per second`;
      const measured = `${ratio.toFixed(2)} x (${rates})`;
      return { measured, met: ratio >= least * (1 - noise) };
    },
  };
}

type Bound = { readonly least: number } | { readonly most: number };

/** A figure of one group of measurements, held against a bound. */
function boundTarget(
  what: string,
  target: string,
  selection: Parameters<Findings['of']>[0],
  figure: Figure,
  bound: Bound,
  text: (value: number) => string,
): Target {
  return {
    what,
    target,
    judge(all) {
      const spread = all.of(selection).spread(figure);
      if (!spread) return undefined;
      const { median } = spread;
      return { measured: text(median), met: 'least' in bound ? median >= bound.least : median <= bound.most };
    },
  };
}

const counted =
  (name: string): Figure =>
  (one) =>
    one.figures[name];
const times = (value: number): string => `${value.toFixed(2)} x`;
const whole = (unit: string) => (value: number) => `${Math.round(value)} ${unit}`;

const unary = (payload: number): Target[] =>
  OUTSTANDING.map((outstanding) =>
    ratioTarget(
      'GridPeer.request',
      { case: 'unary', payload, outstanding },
      ['raw', 'ws-batch'],
      1,
      { noise: outstanding === 1 ? NOISE : 0 },
    ),
  );

const overTcp: readonly (readonly [number, number])[] = [
  [1, 1],
  [16, 1],
  [64, 2.5],
  [256, 3.5],
];

/** The source that is most like what the yard-stick does: a plain loop. */
const OBSERVED = 'Observable';

const shortStreams = (outstanding: number, ours: number, theirs: number): Target => {
  const selection = { case: 'stream10', payload: 512, outstanding };
  const least = Number((ours / theirs).toFixed(2));
  return ratioTarget('stream of 10', selection, ['raw', 'ws-batch'], least, { variant: OBSERVED });
};

const longStream = (api: string, least: number): Target =>
  boundTarget(
    `one stream of 100,000 messages, ${api}`,
    `at least ${thousands(least)} per second`,
    { case: 'long', api, variant: '100,000 messages' },
    rate,
    { least },
    (value) => `${thousands(value)} per second`,
  );

const linear = (api: string): Target => ({
  what: `twice as many messages on one stream, ${api}`,
  target: 'at most 2.2 x the time',
  judge(all) {
    const seconds = (variant: string): Spread | undefined => all.of({ case: 'long', api, variant }).figure('seconds');
    const one = seconds('100,000 messages');
    const two = seconds('200,000 messages');
    if (!one || !two) return undefined;
    return { measured: times(two.median / one.median), met: two.median <= 2.2 * one.median };
  },
});

const serverGrowth = (api: string): Target =>
  boundTarget(
    `memory of the server for one stream of 100,000 messages, ${api}`,
    'at most 20 MB more',
    { case: 'long', api, variant: '100,000 messages' },
    counted('MB more at the server'),
    { most: 20 },
    (value) => `${value.toFixed(1)} MB`,
  );

const CAPACITY = 64;
const OUT_BUFFER = 1_024;

const frozen = (api: string): Target[] => [
  boundTarget(
    `frozen consumer, generator, ${api}`,
    `at most capacity + 50 = ${CAPACITY + 50} ahead`,
    { case: 'frozen', api, variant: 'generator' },
    counted('produced and not consumed'),
    { most: CAPACITY + 50 },
    whole('ahead'),
  ),
  {
    what: `frozen consumer, Observable, ${api}`,
    target: `capacity + outBuffer = ${CAPACITY + OUT_BUFFER}; one more ends the stream with its error`,
    judge(all) {
      const group = all.of({ case: 'frozen', api, variant: 'Observable' });
      const ahead = group.figure('produced and not consumed')?.median;
      if (ahead === undefined) return undefined;
      const ended = group.spread((one) => one.errors)!.max === 0;
      const measured = `${ahead} produced, ${ended ? 'then RESOURCE_EXHAUSTED' : 'no error'}`;
      return { measured, met: ended && ahead <= CAPACITY + OUT_BUFFER + 1 };
    },
  },
];

const idleCost = (name: string): Target => ({
  what: `CPU per call with ${name}`,
  target: 'as without them, within 5 %',
  judge(all) {
    const group = all.of({ case: 'idle', variant: `with ${name}` });
    const cpu = group.figure('x CPU per call');
    const rate = group.figure('x rate');
    if (!cpu || !rate) return undefined;
    return { measured: `${times(cpu.median)} (rate ${times(rate.median)})`, met: cpu.median <= 1.05 };
  },
});

const idleBytes = (variant: string, mostKiB: number): Target =>
  boundTarget(
    `memory of ${variant}`,
    `at most ${mostKiB} KiB`,
    { case: 'idle', variant },
    (one) => one.bytesPerUnit,
    { most: mostKiB * 1024 },
    (value) => `${(value / 1024).toFixed(1)} KiB`,
  );

const stalled = { case: 'stall', variant: 'with a stalled stream' };

/** Collected garbage leaves some dust: compiled code, caches of the runtime. */
const DUST_KIB = 1_024;

const leftBehind = (name: string, most: number): Target =>
  boundTarget(
    `after 1,000,000 calls with a deadline of an hour: ${name}`,
    most === 0 ? 'none' : `at most ${most}: the base line`,
    { case: 'memory' },
    counted(name),
    { most },
    (value) => String(Math.round(value)),
  );

/** What the project promises of its speed, in the order of the document. */
export const TARGETS: readonly Target[] = [
  ...unary(512),
  ...unary(4096),
  ...overTcp.map(([outstanding, least]) =>
    ratioTarget('ClientProxy.send', { case: 'unary', payload: 512, outstanding }, ['nest', 'nest-tcp'], least),
  ),
  shortStreams(1, 10, 9.2),
  shortStreams(64, 150, 232),
  boundTarget(
    'stream of 10, 1 outstanding, p50',
    'at most 0.2 ms',
    { case: 'stream10', api: 'raw', outstanding: 1, variant: OBSERVED },
    (one) => one.p50Ms,
    { most: 0.2 },
    (value) => `${value.toFixed(3)} ms`,
  ),
  longStream('raw', 300_000),
  longStream('nest', 200_000),
  linear('raw'),
  linear('nest'),
  serverGrowth('raw'),
  serverGrowth('nest'),
  ...frozen('raw'),
  ...frozen('nest'),
  idleCost('256 idle streams'),
  idleCost('100,000 idle streams'),
  idleCost('1,000 idle peers'),
  idleBytes('one idle stream, client', 2),
  idleBytes('one idle stream, server', 2),
  idleBytes('one idle peer, at the host', 100),
  boundTarget('rate beside a stalled stream', 'at least 0.9 x', stalled, counted('x rate'), { least: 0.9 }, times),
  boundTarget('p99 beside a stalled stream', 'at most 1.5 x', stalled, counted('x p99'), { most: 1.5 }, times),
  ...['raw', 'nest'].map((api) =>
    boundTarget(
      `p99 of small calls beside 1 MiB calls, ${api}`,
      'at most 5 ms',
      { case: 'big', api, variant: 'with 1 MiB calls' },
      (one) => one.p99Ms,
      { most: 5 },
      (value) => `${value.toFixed(2)} ms`,
    ),
  ),
  leftBehind('KiB more, client', DUST_KIB),
  leftBehind('KiB more, server', DUST_KIB),
  leftBehind('timers more', 0),
  leftBehind('listeners more', 0),
];
