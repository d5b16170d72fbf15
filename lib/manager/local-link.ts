import { AsyncLocalStorage } from 'node:async_hooks';
import { BehaviorSubject } from 'rxjs';
import { GridError, TEXT } from '../errors/index.js';
import {
  encodeApart,
  Mux,
  PAYLOAD_SHARE,
  type HandlerDirectory,
  type MuxIntervals,
  type MuxLimits,
  type Outbox,
  type PayloadEncoder,
} from '../mux/index.js';
import type { Clock } from '../time/index.js';
import { EXTENSIONS, type Dialect, type Message, type Metadata } from '../wire/index.js';
import { ConnectWaiters } from './connect-waiters.js';
import { openCalls, type OpenCalls } from './grid-stats.js';
import type { Link } from './link.js';
import type { LinkLog } from './link-log.js';
import type { PeerState, WaitOptions } from './peer-state.js';
import { PeerStats, type PeerCounts } from './peer-stats.js';

// taken while the module loads, outside of every call: what is run in it sees no store of a caller
const inCleanContext = AsyncLocalStorage.snapshot();

/** No CRC: the bytes never leave the process. */
const DIALECT: Dialect = Object.freeze({ baseFlags: 0, extensions: new Set(EXTENSIONS), peerMaxBytes: Infinity });

export interface LocalLinkPorts {
  readonly clock: Clock;
  readonly log?: LinkLog;
  readonly handlers: HandlerDirectory;
  readonly limits: MuxLimits;
  readonly intervals: MuxIntervals;
}

/** One direction of the pair. What is sent arrives in a later turn, in order, with bytes of its own. */
class LocalOutbox implements Outbox {
  deliver: ((message: Message) => void) | undefined = undefined;
  private readonly resumes = new Set<() => void>();
  /** The message at index i has the position `handed + i`. */
  private waiting: (Message | undefined)[] = [];
  private handed = 0;
  private bytes = 0;
  private scheduled = false;

  constructor(private readonly queuedBytes: number) {}

  get congested(): boolean {
    return this.bytes > this.queuedBytes;
  }

  /** All of it is gone with the turn: nobody waits behind it. */
  get crowded(): boolean {
    return this.congested;
  }

  hasRoom(bytes: number): boolean {
    return this.bytes + bytes <= (1 + PAYLOAD_SHARE) * this.queuedBytes;
  }

  send(message: Message): number {
    // not slice(): a Buffer's slice shares its memory
    const payload = message.payload && new Uint8Array(message.payload);
    this.bytes += payload?.length ?? 0;
    this.waiting.push({ ...message, payload, metadata: message.metadata && copyOf(message.metadata) });
    if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => inCleanContext(() => this.flush()));
    }
    return this.handed + this.waiting.length - 1;
  }

  /** All of a turn travels together. */
  cork(): void {}
  uncork(): void {}

  encode(value: unknown, codec: PayloadEncoder): Uint8Array {
    return encodeApart(value, codec);
  }

  withdraw(position: number): boolean {
    const index = position - this.handed;
    const message = this.waiting[index];
    if (!message) return false;
    this.bytes -= message.payload?.length ?? 0;
    this.waiting[index] = undefined;
    return true;
  }

  isHanded(position: number): boolean {
    return position < this.handed;
  }

  onDrain(resume: () => void): () => void {
    this.resumes.add(resume);
    return () => this.resumes.delete(resume);
  }

  private flush(): void {
    const batch = this.waiting;
    this.waiting = [];
    this.handed += batch.length;
    this.bytes = 0;
    this.scheduled = false;
    for (const message of batch) {
      if (message) this.deliver?.(message);
    }
    if (this.congested) return;
    const resumes = [...this.resumes];
    this.resumes.clear();
    for (const resume of resumes) resume();
  }
}

/** As the wire gives it: without a prototype, and nobody else's object. */
function copyOf(metadata: Metadata): Metadata {
  const copy = Object.create(null) as Record<string, string>;
  for (const key of Object.keys(metadata)) copy[key] = metadata[key]!;
  return copy;
}

/** Calls to this host itself: through the same muxes, codec and handlers as a call to any other, without a socket. */
export class LocalLink implements Link {
  readonly status = new BehaviorSubject<PeerState>('connecting');
  readonly stats: PeerStats;
  private readonly waiters: ConnectWaiters;
  /** The end that calls and the end that answers, while the grid runs. */
  private pair: { readonly calling: Mux; readonly answering: Mux } | undefined = undefined;

  constructor(
    readonly peer: string,
    private readonly ports: LocalLinkPorts,
  ) {
    this.stats = new PeerStats((stream) => ports.log?.blocked(stream));
    this.waiters = new ConnectWaiters(ports.clock, peer);
  }

  get state(): PeerState {
    return this.status.value;
  }

  counts(): PeerCounts & OpenCalls {
    const { calling, answering } = this.pair ?? {};
    const flows = [...(calling?.flows() ?? []), ...(answering?.flows() ?? [])];
    return { ...this.stats.counts(flows), ...this.openCalls };
  }

  get openCalls(): OpenCalls {
    return openCalls(this.pair?.calling, this.pair?.answering);
  }

  start(): void {
    if (this.state !== 'connecting') return;
    this.pair = this.connect();
    this.status.next('connected');
    this.waiters.settle();
  }

  line(): Mux {
    if (this.state === 'connected') {
      if (!this.pair || this.pair.calling.closed) this.pair = this.connect();
      return this.pair.calling;
    }
    const closed = this.state === 'closed';
    throw new GridError('UNAVAILABLE', closed ? 'the grid is closed' : 'the grid is not started', {
      peer: this.peer,
      reason: closed ? 'closed' : 'not-connected',
      notSent: true,
    });
  }

  async waitForConnect(options: WaitOptions = {}): Promise<void> {
    if (this.state === 'connecting') await this.waiters.wait(options);
    else this.line();
  }

  async ping(): Promise<number> {
    this.line();
    return 0;
  }

  close(): void {
    if (this.state === 'closed') return;
    const error = new GridError('UNAVAILABLE', TEXT.disconnected, { peer: this.peer, reason: 'disconnected' });
    this.status.next('closed');
    this.status.complete();
    this.pair?.calling.close(error);
    this.pair?.answering.close(error);
    this.waiters.settle(
      new GridError('UNAVAILABLE', 'the grid is closed', { peer: this.peer, reason: 'closed', notSent: true }),
    );
  }

  private connect(): { calling: Mux; answering: Mux } {
    const { queuedBytes } = this.ports.limits;
    const [out, back] = [new LocalOutbox(queuedBytes), new LocalOutbox(queuedBytes)];
    const abort = (error: GridError): void => {
      calling.close(error);
      answering.close(error);
    };
    const shared = { ...this.ports, observer: this.stats, dialect: DIALECT, abort };
    const calling: Mux = new Mux({ ...shared, outbox: out });
    const answering: Mux = new Mux({ ...shared, outbox: back });
    out.deliver = (message) => answering.receive(message);
    back.deliver = (message) => calling.receive(message);
    return { calling, answering };
  }
}
