import { GridError, TEXT, type GridCode } from '../../lib/errors/index.js';
import {
  encodeApart,
  Mux,
  type CallHandler,
  type MuxIntervals,
  type MuxLimits,
  type Outbox,
  type PeerLoad,
} from '../../lib/mux/index.js';
import { silentCalls, silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { EXTENSIONS, Flag, Op, type Extension, type Message } from '../../lib/wire/index.js';

/** One mux whose peer is the test: it sees each message and writes its own. */
export class SoloMux {
  readonly clock: ManualClock;
  readonly sent: Message[] = [];
  readonly drops: string[] = [];
  /** The codes that calls ended with, as counted here. */
  readonly ended: (GridCode | undefined)[] = [];
  readonly mux: Mux;
  handed = Infinity;
  congested = false;
  /** Bytes that an answer may have. */
  room = Infinity;
  aborted: { error: GridError; closeCode: number } | undefined;
  private readonly resumes = new Set<() => void>();

  constructor(
    options: {
      handlers?: Record<string | number, CallHandler>;
      limits?: Partial<MuxLimits>;
      intervals?: Partial<MuxIntervals>;
      extensions?: readonly Extension[];
      peerMaxBytes?: number;
      load?: PeerLoad;
      /** What the clock gives for it. */
      chance?: number;
    } = {},
  ) {
    const self = this;
    const { chance = 0.5 } = options;
    this.clock = new ManualClock(undefined, () => chance);
    const outbox: Outbox = {
      send: (message) => this.sent.push({ ...message, payload: message.payload && new Uint8Array(message.payload) }),
      cork: () => {},
      uncork: () => {},
      encode: encodeApart,
      withdraw: (position) => {
        if (position <= this.handed) return false;
        const index = position - 1;
        return this.sent.splice(index, 1).length === 1;
      },
      isHanded: (position) => position <= this.handed,
      get congested() {
        return self.congested;
      },
      get crowded() {
        return self.congested;
      },
      hasRoom: (bytes) => bytes <= self.room,
      onDrain: (resume) => {
        this.resumes.add(resume);
        return () => this.resumes.delete(resume);
      },
    };
    this.mux = new Mux({
      outbox,
      clock: this.clock,
      handlers: {
        find: (handler, subroute) => options.handlers?.[subroute === undefined ? handler : `${handler}:${subroute}`],
      },
      observer: {
        ...silentObserver,
        dropped: (what) => this.drops.push(what),
        callsOf: () => ({ ...silentCalls, ended: (code) => void this.ended.push(code) }),
      },
      limits: {
        messageBytes: 1 << 20,
        queuedBytes: 1 << 25,
        openStreams: 100,
        runningRequests: 100,
        heldBytes: 1 << 24,
        unreadBytes: 1 << 20,
        unreadMessages: 1024,
        cancelsPerSecond: 10_000,
        metadataBytes: 8192,
        errorTextBytes: 4096,
        ...options.limits,
      },
      intervals: {
        requestTimeoutMs: 60_000,
        streamPingMs: 15_000,
        streamSilenceMs: 60_000,
        blockedStreamMs: 30_000,
        ...options.intervals,
      },
      dialect: {
        baseFlags: Flag.Crc,
        extensions: new Set(options.extensions ?? EXTENSIONS),
        peerMaxBytes: options.peerMaxBytes ?? Infinity,
      },
      load: options.load,
      abort: (error, closeCode) => {
        this.aborted ??= { error, closeCode };
        this.mux.close(error);
      },
    });
  }

  /** Feeds one message of the peer. */
  receive(op: Message['op'], muxId: Message['muxId'], fields: Partial<Message> = {}): void {
    this.mux.receive({ muxId, seq: 0, deadlineMs: 0, handler: 0, op, flags: Flag.Crc, payload: undefined, ...fields });
  }

  /** The messages sent since the last call, as `op` names with their numbers. */
  take(): Message[] {
    return this.sent.splice(0);
  }

  drain(): void {
    this.congested = false;
    for (const resume of [...this.resumes]) {
      this.resumes.delete(resume);
      resume();
    }
  }

  disconnect(): GridError {
    const error = new GridError('UNAVAILABLE', TEXT.disconnected, { reason: 'disconnected' });
    this.mux.close(error);
    return error;
  }
}

export const text = (payload: Uint8Array | undefined): string | undefined =>
  payload === undefined ? undefined : Buffer.from(payload).toString();
export const bytes = (content: string): Uint8Array => Buffer.from(content);

const NAMES = new Map<number, string>(Object.entries(Op).map(([name, op]) => [op, name]));
/** `AckMux#0` and the like: op and sequence number. */
export const brief = (messages: readonly Message[]): string[] => messages.map((m) => `${NAMES.get(m.op)}#${m.seq}`);
