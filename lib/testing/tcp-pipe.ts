import type { Socket } from 'node:net';
import type { Clock, Timer } from '../time/index.js';
import type { TcpBreak, TcpTraveller, TcpWay } from './tcp-way.js';

/** What the sender did, to be done to the receiver in the same order. */
type Parcel =
  | { readonly kind: 'bytes'; bytes: Buffer; readonly dueAt: number }
  | { readonly kind: 'end' | 'reset'; readonly dueAt: number };

/** Past so many waiting bytes the sender is read no further: it gets stuck as behind a slow network. */
const WAITING_BYTES = 64 * 1_024;

export interface TcpPipePorts {
  readonly clock: Clock;
  readonly from: Socket;
  readonly to: Socket;
  readonly way: TcpWay;
  readonly onBytes: (bytes: Buffer) => void;
  /** The connection is to break, both ways. */
  readonly onBreak: (how: TcpBreak) => void;
}

/** One direction of one proxied connection: what `from` sends, `to` gets, as its way allows. */
export class TcpPipe implements TcpTraveller {
  private parcels: Parcel[] = [];
  private waitingBytes = 0;
  private lastDueAt = 0;
  private timer: Timer | undefined = undefined;
  /** Waits for the receiver. */
  private writing = false;
  private turn: NodeJS.Immediate | undefined = undefined;
  private over = false;

  constructor(private readonly ports: TcpPipePorts) {
    const { from, to, way } = ports;
    way.join(this);
    to.setNoDelay(true);
    from.on('data', (bytes: Buffer) => {
      ports.onBytes(bytes);
      this.push({ kind: 'bytes', bytes, dueAt: this.dueAt() });
    });
    from.on('end', () => this.push({ kind: 'end', dueAt: this.dueAt() }));
    from.on('close', (failed) => {
      if (failed) this.push({ kind: 'reset', dueAt: this.dueAt() });
    });
    // 'close' follows, and tells that there was one
    from.on('error', () => {});
    to.on('drain', () => this.resume());
    to.on('close', () => this.stop());
  }

  break(how: TcpBreak): void {
    this.ports.onBreak(how);
  }

  /** Nothing passes any more; what the sender still sends is read and dropped. */
  stop(): void {
    if (this.over) return;
    this.over = true;
    this.timer?.cancel();
    clearImmediate(this.turn);
    this.parcels = [];
    this.ports.way.leave(this);
    this.ports.from.resume();
  }

  pump(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const { way, to } = this.ports;
    while (!this.over && !this.writing && !way.stalled) {
      const next = this.parcels[0];
      if (!next) break;
      const waitMs = Math.max(next.dueAt - this.ports.clock.now(), way.waitMs);
      if (waitMs > 0) {
        this.timer = this.ports.clock.setTimer(waitMs, () => this.pump());
        break;
      }
      if (next.kind === 'bytes') {
        this.pass(next);
      } else {
        this.parcels.shift();
        if (next.kind === 'reset') reset(to);
        else to.end();
      }
    }
    this.regulate();
  }

  private pass(parcel: Parcel & { kind: 'bytes' }): void {
    const { way, to } = this.ports;
    const taken = parcel.bytes.length;
    const { bytes, swallowed, strikes } = way.pass(parcel.bytes);
    this.waitingBytes -= bytes.length;
    if (bytes.length === taken) this.parcels.shift();
    else parcel.bytes = parcel.bytes.subarray(bytes.length);
    if (swallowed || bytes.length === 0) {
      if (strikes) this.break(strikes);
      return;
    }
    // the bytes before a break arrive: what is whole just in time counts
    const alone = way.sliced || strikes !== undefined;
    this.writing = alone;
    const done = (): void => {
      if (strikes) this.break(strikes);
      // in a later turn: the system joins what is written in one
      else if (alone) this.turn = setImmediate(() => this.resume());
    };
    if (!to.write(bytes, done)) this.writing = true;
  }

  private resume(): void {
    this.writing = false;
    this.pump();
  }

  private push(parcel: Parcel): void {
    if (this.over) return;
    this.parcels.push(parcel);
    if (parcel.kind === 'bytes') this.waitingBytes += parcel.bytes.length;
    this.pump();
  }

  private regulate(): void {
    const { from } = this.ports;
    if (!this.over && (this.writing || this.waitingBytes > WAITING_BYTES)) from.pause();
    else if (from.isPaused()) from.resume();
  }

  /** Jitter never swaps. */
  private dueAt(): number {
    this.lastDueAt = Math.max(this.lastDueAt, this.ports.way.dueAt());
    return this.lastDueAt;
  }
}

/** Ends a connection by a RST alone: Node's `resetAndDestroy` sends a FIN before it. */
export function reset(socket: Socket): void {
  socket._final = (done): void => done();
  socket.resetAndDestroy();
}
