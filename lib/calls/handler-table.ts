import { GridError } from '../errors/index.js';
import type { CallHandler, HandlerDirectory } from '../mux/index.js';
import type { GridLogger } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import { subrouteId, subrouteKey } from '../wire/index.js';
import type { Answer, PatternPorts } from './answer.js';
import { EventAnswer } from './event-answer.js';
import { MOST_CAPACITY, type HandlerKind, type HandlerSpec } from './handler-spec.js';
import { addHook } from './intercept.js';
import type { HandlerInterceptor } from './intercept-handler.js';
import { MessageAnswer } from './message-answer.js';
import { shownOption } from './option-names.js';
import { checkHandlerId, PATTERN_HANDLER_ID } from './pattern.js';

export interface HandlerTablePorts {
  readonly clock: Clock;
  readonly logger: GridLogger;
}

/**
 * All handlers of one grid, found by ID and subroute. A mux looks them up through the view of its peer: `for`.
 */
export class HandlerTable {
  /** Handlers without a subroute by ID, the others by their subroute id as hex, which holds the ID too. */
  private readonly answers = new Map<number | string, Answer>();
  /** Removed ones too, as long as they run. */
  private readonly events = new Set<EventAnswer>();

  /** Counts the patterns that lost their answer: who remembers one looks again. */
  private changes = 0;

  private readonly interceptors: HandlerInterceptor[] = [];
  private readonly ports: PatternPorts;

  constructor(ports: HandlerTablePorts) {
    this.ports = { ...ports, interceptors: this.interceptors };
  }

  /** Patterns that have a handler. */
  get size(): number {
    return this.answers.size;
  }

  /** Events that were answered and whose handlers still run: the muxes know nothing of them, a drain waits for them. */
  get runningEvents(): number {
    let running = 0;
    for (const event of this.events) running += event.running;
    return running;
  }

  /** Their patterns. */
  get runningEventNames(): string[] {
    return [...this.events].filter(({ running }) => running > 0).map(({ spec }) => spec.route.name);
  }

  /**
   * Registers a handler; the returned function removes it (calls that run go on).
   * @throws GridError INVALID_ARGUMENT for a handler ID out of range or a wrong option, ALREADY_EXISTS for a second
   * handler of one pattern, naming both. Events share a pattern with other events only, and their places with those.
   */
  add(spec: HandlerSpec): () => void {
    verify(spec);
    const key = keyOf(spec);
    const taken = this.answers.get(key);
    if (taken === undefined) return this.place(key, spec);
    if (!(taken instanceof EventAnswer) || spec.kind !== 'event') {
      throw new GridError('ALREADY_EXISTS', twice(spec, taken.spec));
    }
    verifyPlaces(spec, taken.spec);
    taken.join(spec);
    return () => this.removeEvent(key, taken, spec);
  }

  /** A hook around all handlers; the returned function takes it away. Calls that run keep it. */
  intercept(interceptor: HandlerInterceptor): () => void {
    if (typeof interceptor !== 'function') {
      const text = `interceptHandlers: the interceptor is ${shownOption(interceptor)}; it must be a function`;
      throw new GridError('INVALID_ARGUMENT', text);
    }
    return addHook(this.interceptors, interceptor);
  }

  /** What a mux to one peer looks handlers up in. `peer` gives the peer's origin; it is asked when a call comes. */
  for(peer: () => string): HandlerDirectory {
    const bound = new Map<number | string, { readonly answer: Answer; readonly callee: CallHandler }>();
    let changes = this.changes;
    return {
      find: (handler, subroute) => {
        const key = subroute ?? handler;
        if (changes !== this.changes) {
          changes = this.changes;
          for (const [known, { answer }] of bound) if (this.answers.get(known) !== answer) bound.delete(known);
        }
        const known = bound.get(key);
        if (known) return known.callee;
        const answer = this.answers.get(key);
        if (answer === undefined) return undefined;
        const callee = answer.for(peer());
        bound.set(key, { answer, callee });
        return callee;
      },
    };
  }

  private place(key: number | string, spec: HandlerSpec): () => void {
    if (spec.kind !== 'event') {
      const answer = new MessageAnswer(spec, this.ports);
      this.answers.set(key, answer);
      return () => this.drop(key, answer);
    }
    for (const old of this.events) if (old.idle) this.events.delete(old);
    const event = new EventAnswer(spec, this.ports);
    this.events.add(event);
    this.answers.set(key, event);
    return () => this.removeEvent(key, event, spec);
  }

  private removeEvent(key: number | string, event: EventAnswer, spec: HandlerSpec): void {
    if (event.leave(spec)) this.drop(key, event);
  }

  private drop(key: number | string, answer: Answer): void {
    if (this.answers.get(key) !== answer) return;
    this.answers.delete(key);
    this.changes++;
  }
}

function keyOf({ route: { handler, subroute, name } }: HandlerSpec): number | string {
  if (handler !== PATTERN_HANDLER_ID || subroute === undefined) checkHandlerId(handler, name);
  return subroute === undefined ? handler : subrouteKey(subrouteId(handler, subroute));
}

function twice(second: HandlerSpec, first: HandlerSpec): string {
  const owners = [first.owner, second.owner].filter((owner) => owner !== undefined);
  const once = owners.length === 2 && owners[0] === owners[1];
  const named = once ? `${owners[0]} twice: is its class in two modules?` : owners.join(' and ');
  const where = owners.length > 0 ? ` (${named})` : '';
  if ((first.kind === 'event') !== (second.kind === 'event')) {
    return `${second.route.name} is registered as an event and as a message${where}: one pattern is one or the other`;
  }
  return `two handlers for ${second.route.name}${where}`;
}

/** Options that are numbers, with the least and the most that each may be. */
const BOUNDS = {
  inCapacity: [0, MOST_CAPACITY],
  outCapacity: [1, MOST_CAPACITY],
  outBuffer: [0, undefined],
  concurrency: [1, undefined],
  queue: [0, undefined],
} as const;

const KINDS: Readonly<Record<HandlerKind, true>> = { request: true, stream: true, both: true, event: true };

/** The compiler sees no option that comes by a variable, nor any in JavaScript. */
function verify(spec: HandlerSpec): void {
  for (const option of Object.keys(BOUNDS) as (keyof typeof BOUNDS)[]) {
    const value = spec[option];
    const [least, most] = BOUNDS[option];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= (most ?? value))) continue;
    const allowed = most === undefined ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
    throw wrong(spec, option, value, allowed);
  }
  const { queue = 0, concurrency } = spec;
  if (queue > 0 && concurrency === undefined) {
    throw wrong(spec, 'queue', queue, 'given with concurrency: without that no call ever waits');
  }
  const { kind, codec, run } = spec;
  if (!Object.hasOwn(KINDS, kind)) throw wrong(spec, 'kind', kind, `one of ${Object.keys(KINDS).join(', ')}`);
  if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
    throw wrong(spec, 'codec', codec, 'an object with encode and decode, like json()');
  }
  if (typeof run !== 'function') throw wrong(spec, 'the function', run, 'a function of payload and context');
}

/**
 * An event is answered once for all of its handlers, and so has one number of places: what a further handler asks for
 * must not be a limit that is not there.
 */
function verifyPlaces(spec: HandlerSpec, first: HandlerSpec): void {
  const { concurrency, queue = 0 } = spec;
  if (concurrency === undefined) return;
  const { concurrency: most, queue: seats = 0 } = first;
  if (concurrency === most && queue === seats) return;
  const places = most === undefined ? 'without' : `${most} and queue ${seats}`;
  throw wrong(spec, 'concurrency', concurrency, `that of the first handler of its event, which is ${places}`);
}

function wrong({ owner, route }: HandlerSpec, option: string, value: unknown, allowed: string): GridError {
  const where = owner === undefined ? '' : `${owner}: `;
  const text = `${where}${option} of handler ${route.name} is ${shownOption(value)}; it must be ${allowed}`;
  return new GridError('INVALID_ARGUMENT', text);
}
