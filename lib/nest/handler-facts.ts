import type { Codec, Contract } from '../calls/index.js';

/** What a handler may say about itself: as the extras of a plain decorator, as options of a Grid decorator. */
export interface HandlerOptions {
  /** Calls of this handler that may run at once; those beyond wait in `queue`. Default: no limit. */
  readonly concurrency?: number;
  /** Calls that may wait for `concurrency`; those beyond are refused: RESOURCE_EXHAUSTED with `notSent`. Default 0. */
  readonly queue?: number;
  /** Default: the contract's, else the grid's. */
  readonly codec?: Codec;
}

/** The same of a handler of streams. */
export interface StreamHandlerOptions extends HandlerOptions {
  /** Messages to the handler that may be unacknowledged. Default: the contract's, else 0: the stream takes no input. */
  readonly inCapacity?: number;
  /** Messages to the caller that may be unacknowledged. Default: the contract's, else 32. */
  readonly outCapacity?: number;
  /**
   * Values of an Observable that may wait for credit, 0 as 1; past it the stream ends: RESOURCE_EXHAUSTED. Default
   * 1,024.
   */
  readonly outBuffer?: number;
}

/** What a Grid decorator is told beside them: which calls are the handler's. */
export interface Binding {
  /** Told apart from other handlers of the same ID; parts of an array are joined with `/`. */
  readonly subroute?: string | readonly string[];
  /** Name of the grid. Default: the one without a name. */
  readonly grid?: string;
}

/** What the Grid decorators leave in a method's extras. */
interface Marks {
  readonly contract?: Contract;
  readonly kind?: 'request' | 'stream';
  /** Of `@GridSubroute`. */
  readonly prefix?: string;
}

/** The key of the marks in the extras; a plain name, for Nest's inspector prints extras as JSON. */
const MARKS = 'nestjs-grid';

export const OPTION_NAMES: readonly (keyof StreamHandlerOptions)[] = [
  'concurrency',
  'queue',
  'codec',
  'inCapacity',
  'outCapacity',
  'outBuffer',
];

export type HandlerFacts = StreamHandlerOptions & Marks;

/** Extras that hold these options and marks, for `@MessagePattern`. */
export function extrasOf(options: StreamHandlerOptions, marks: Marks): Record<string, unknown> {
  return { ...options, [MARKS]: marks };
}

/** The same extras under a class prefix. */
export function prefixedExtras(extras: Record<string, unknown> | undefined, prefix: string): Record<string, unknown> {
  return { ...extras, [MARKS]: { ...marksOf(extras), prefix } };
}

export function factsOf(extras: Record<string, unknown> = {}): HandlerFacts {
  // only those that were given: what a contract says must not be overwritten by undefined
  const given = OPTION_NAMES.filter((name) => extras[name] !== undefined).map((name) => [name, extras[name]]);
  return { ...(Object.fromEntries(given) as StreamHandlerOptions), ...marksOf(extras) };
}

function marksOf(extras: Record<string, unknown> | undefined): Marks {
  return (extras?.[MARKS] as Marks | undefined) ?? {};
}
