import { GridError, TEXT } from '../../lib/errors/index.js';
import { DEFAULTS } from '../../lib/manager/index.js';
import {
  Mux,
  type CallHandler,
  type HandlerDirectory,
  type MuxIntervals,
  type MuxLimits,
} from '../../lib/mux/index.js';
import { silentObserver, type MuxObserver } from '../../lib/observe/index.js';
import { systemClock, type Clock } from '../../lib/time/index.js';
import { EXTENSIONS, Flag, type Dialect, type Extension } from '../../lib/wire/index.js';
import { MemoryOutbox } from './memory-outbox.js';

/** Handlers by ID, or by `ID:hex subroute id`. */
export type PairHandlers = HandlerDirectory | Readonly<Record<string | number, CallHandler>>;

export interface MuxPairOptions {
  /** Handlers at `a`, which `b` may call. */
  handlersA?: PairHandlers;
  /** Handlers at `b`, which `a` may call. */
  handlersB?: PairHandlers;
  clock?: Clock;
  limits?: Partial<MuxLimits>;
  intervals?: Partial<MuxIntervals>;
  /** Extensions of the link; default all that this build has. */
  extensions?: readonly Extension[];
  observerA?: MuxObserver;
  observerB?: MuxObserver;
}

export interface MuxPair {
  readonly a: Mux;
  readonly b: Mux;
  /** What `a` sends to `b`, and the other way round. */
  readonly aToB: MemoryOutbox;
  readonly bToA: MemoryOutbox;
  /** Why the link was aborted by one of its ends, if it was. */
  readonly aborted: { readonly error: GridError; readonly closeCode: number } | undefined;
  /** Ends the link as a lost connection does. */
  cut(error?: GridError): void;
  /** Resolves when everything that was sent, and what it caused at once, has arrived. */
  settle(): Promise<void>;
}

/** Two muxes joined in memory: the whole call layer without a byte of framing. */
export function muxPair(options: MuxPairOptions = {}): MuxPair {
  const clock = options.clock ?? systemClock;
  const dialect: Dialect = {
    baseFlags: Flag.Crc,
    extensions: new Set(options.extensions ?? EXTENSIONS),
    peerMaxBytes: Infinity,
  };
  let aborted: { error: GridError; closeCode: number } | undefined;
  const cut = (error = new GridError('UNAVAILABLE', TEXT.disconnected, { reason: 'disconnected' })): void => {
    aToB.cut();
    bToA.cut();
    a.close(error);
    b.close(error);
  };
  const make = (outbox: MemoryOutbox, handlers: PairHandlers | undefined, observer: MuxObserver | undefined): Mux =>
    new Mux({
      outbox,
      clock,
      handlers: directory(handlers),
      observer: observer ?? silentObserver,
      limits: { ...DEFAULTS.limits, ...options.limits },
      intervals: { ...DEFAULTS.intervals, ...options.intervals },
      dialect,
      abort: (error, closeCode) => {
        aborted ??= { error, closeCode };
        cut(error);
      },
    });
  const aToB: MemoryOutbox = new MemoryOutbox((message) => b.receive(message));
  const bToA: MemoryOutbox = new MemoryOutbox((message) => a.receive(message));
  const a = make(aToB, options.handlersA, options.observerA);
  const b = make(bToA, options.handlersB, options.observerB);
  return {
    a,
    b,
    aToB,
    bToA,
    get aborted() {
      return aborted;
    },
    cut,
    settle: async () => {
      // messages travel in microtasks, and each turn of the loop runs all of them
      for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    },
  };
}

function directory(handlers: PairHandlers | undefined): HandlerDirectory {
  if (handlers && 'find' in handlers && typeof handlers.find === 'function') return handlers as HandlerDirectory;
  const table = (handlers ?? {}) as Readonly<Record<string, CallHandler>>;
  return { find: (handler, subroute) => table[subroute === undefined ? handler : `${handler}:${subroute}`] };
}
