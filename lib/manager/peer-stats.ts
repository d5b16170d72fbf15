import type { GridCode } from '../errors/index.js';
import type {
  BlockedStream,
  CallDirection,
  CallKind,
  CallObserver,
  ConnectionObserver,
  DropKind,
  StreamFlow,
} from '../observe/index.js';
import { LatencyHistogram, type LatencySummary } from './latency-histogram.js';

/** The calls of one handler with one peer, one way. */
export interface HandlerStats {
  /** Handler ID; 255 for patterns that are none. */
  readonly handler: number;
  /**
   * What the handler was registered as, or was called by, where its ID does not say that: `60/disk1`, `sum`. Undefined
   * for an ID without a subroute, and past 1,024 patterns of one direction, which count by their ID then.
   */
  readonly pattern: string | undefined;
  /** Who called: `outgoing`, this host; `incoming`, the peer. */
  readonly direction: CallDirection;
  /** On the wire; an event is a request. */
  readonly kind: CallKind;
  /** Calls that are not over. */
  readonly open: number;
  /** Calls that ended, well or not; those too that were refused before they were opened, at either end. */
  readonly calls: number;
  /** Of these, the ones that ended with an error, by code. */
  readonly errors: Readonly<Partial<Record<GridCode, number>>>;
  /** From opening a call to its end. What was refused before has none. */
  readonly latency: LatencySummary;
  /** Bytes of payloads that came from the peer, whoever called. */
  readonly bytesIn: number;
  /** The same that went to it. */
  readonly bytesOut: number;
  /** Messages that may be sent on open streams before a credit comes back. */
  readonly credits: number;
  /** Open streams that wait for a credit to send. */
  readonly starved: number;
  /** Messages of open streams that came and that the application has not taken. */
  readonly unread: number;
}

/** What was counted with one peer since the start, over all connections. */
export interface PeerCounts {
  /** Bytes of WebSocket messages that came, handshakes included. */
  readonly bytesIn: number;
  /** The same that were sent. */
  readonly bytesOut: number;
  /** WebSocket messages that came; each may hold many of the grid's. */
  readonly framesIn: number;
  /** The same that were sent. */
  readonly framesOut: number;
  /** Messages ignored by a rule of the protocol. */
  readonly dropped: Readonly<Partial<Record<DropKind, number>>>;
  /** One entry for each handler, pattern, direction and kind that had a call. */
  readonly handlers: readonly HandlerStats[];
}

/** So many patterns of each direction are counted apart with one peer, a kilobyte each; later ones by their ID. */
const MAX_PATTERNS = 1_024;

class HandlerCount implements CallObserver {
  open = 0;
  calls = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly errors: Partial<Record<GridCode, number>> = {};
  readonly latency = new LatencyHistogram();

  constructor(
    readonly handler: number,
    readonly direction: CallDirection,
    readonly kind: CallKind,
    readonly pattern: string | undefined,
  ) {}

  opened(): void {
    this.open++;
  }

  ended(code: GridCode | undefined, durationMs: number): void {
    this.open--;
    this.calls++;
    if (code !== undefined) this.errors[code] = (this.errors[code] ?? 0) + 1;
    this.latency.add(durationMs);
  }

  refused(code: GridCode): void {
    this.calls++;
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }

  sent(bytes: number): void {
    this.bytesOut += bytes;
  }

  received(bytes: number): void {
    this.bytesIn += bytes;
  }
}

/** Counts what the mux and the socket of one peer tell. */
export class PeerStats implements ConnectionObserver {
  private bytesIn = 0;
  private bytesOut = 0;
  private framesIn = 0;
  private framesOut = 0;
  private readonly droppedBy: Partial<Record<DropKind, number>> = {};
  /** By handler ID, kind and direction. */
  private readonly handlers: (HandlerCount | undefined)[] = [];
  /** The same for handlers that have a pattern, by that. */
  private readonly patterns: (Map<string, HandlerCount> | undefined)[] = [];
  private readonly patternCounts: Record<CallDirection, number> = { incoming: 0, outgoing: 0 };

  /** What cannot be counted goes to the log. */
  constructor(readonly streamBlocked: (stream: BlockedStream) => void) {}

  callsOf(direction: CallDirection, kind: CallKind, handler: number, pattern?: string): CallObserver {
    const slot = handler * 4 + (kind === 'stream' ? 2 : 0) + (direction === 'incoming' ? 1 : 0);
    if (pattern !== undefined) {
      const byPattern = (this.patterns[slot] ??= new Map());
      const known = byPattern.get(pattern);
      if (known) return known;
      // names that come and go must not fill the memory, nor take the place of those of the other direction
      if (this.patternCounts[direction] < MAX_PATTERNS) {
        this.patternCounts[direction]++;
        const count = new HandlerCount(handler, direction, kind, pattern);
        byPattern.set(pattern, count);
        return count;
      }
    }
    return (this.handlers[slot] ??= new HandlerCount(handler, direction, kind, undefined));
  }

  dropped(what: DropKind): void {
    this.droppedBy[what] = (this.droppedBy[what] ?? 0) + 1;
  }

  frameSent(bytes: number): void {
    this.framesOut++;
    this.bytesOut += bytes;
  }

  frameReceived(bytes: number): void {
    this.framesIn++;
    this.bytesIn += bytes;
  }

  pinged(): void {}

  /** Those of one slot next to each other. */
  private all(): HandlerCount[] {
    const slots = Math.max(this.handlers.length, this.patterns.length);
    const bySlot = (slot: number): (HandlerCount | undefined)[] => [
      this.handlers[slot],
      ...(this.patterns[slot]?.values() ?? []),
    ];
    return Array.from({ length: slots }, (_, slot) => bySlot(slot))
      .flat()
      .filter((count) => count !== undefined);
  }

  /** `flows`: the streams that are open now. */
  counts(flows: readonly StreamFlow[] = []): PeerCounts {
    const flowsOf = new Map<CallObserver, StreamFlow[]>();
    for (const flow of flows) {
      const same = flowsOf.get(flow.observer);
      if (same) same.push(flow);
      else flowsOf.set(flow.observer, [flow]);
    }
    return {
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      framesIn: this.framesIn,
      framesOut: this.framesOut,
      dropped: { ...this.droppedBy },
      handlers: this.all().map((counted) => {
        const { errors, latency, ...count } = counted;
        const open = totalOf(flowsOf.get(counted) ?? []);
        return { ...count, errors: { ...errors }, latency: latency.summary(), ...open };
      }),
    };
  }
}

function totalOf(flows: readonly StreamFlow[]): Pick<HandlerStats, 'credits' | 'starved' | 'unread'> {
  const total = { credits: 0, starved: 0, unread: 0 };
  for (const { credits, starved, unread } of flows) {
    total.credits += credits;
    total.starved += starved ? 1 : 0;
    total.unread += unread;
  }
  return total;
}
