import type { Clock, Timer } from '../time/index.js';
import { decodeFrame, EXTENSIONS, type DecodeRules } from '../wire/index.js';

/**
 * Where a fault strikes: at the frame with the byte or message that comes after so many more, counted from the moment
 * in which the fault is set, over all connections. The first of the two that is reached counts.
 */
export interface FaultPoint {
  /** Bytes of frames. */
  readonly afterBytes?: number;
  /** Messages of the grid, of which a frame may hold many. */
  readonly afterMessages?: number;
}

/** A connection that the wire belongs to. */
export interface WireUser {
  /** Ends it as a lost connection. */
  terminate(): void;
}

interface Fault {
  readonly kind: 'cut' | 'stall' | 'corrupt' | 'delay';
  /** In bytes and messages since the wire was made. */
  readonly atByte: number;
  readonly atMessage: number;
  /** Of a delay. */
  readonly ms: number;
}

/** Something on its way. */
interface Parcel {
  readonly user: WireUser;
  /** Not before this time of the clock. */
  readonly dueAt: number;
  readonly deliver: () => void;
  readonly drop: (() => void) | undefined;
}

/**
 * All that one host sends to another, with faults on request: `cluster.wire(0, 1).cut({ afterMessages: 3 })`. As with
 * a real WebSocket a frame arrives whole or not at all. Faults stay set over reconnects until they have struck.
 */
export class FaultyWire {
  private readonly users = new Set<WireUser>();
  private faults: Fault[] = [];
  private parcels: Parcel[] = [];
  private bytesSent = 0;
  private messagesSent = 0;
  private delayMs = 0;
  private stalled = false;
  private timer: Timer | undefined = undefined;

  constructor(private readonly clock: Clock) {}

  /** Bytes of the frames sent so far. */
  get bytes(): number {
    return this.bytesSent;
  }

  /** Messages sent so far; a frame may hold many. */
  get messages(): number {
    return this.messagesSent;
  }

  /** Frames that a stall or a delay holds now. */
  get held(): number {
    return this.parcels.length;
  }

  /** Faults that have not struck yet. */
  get armed(): number {
    return this.faults.length;
  }

  /** Breaks the connection, in both directions; that frame never arrives. Without a point: at once. */
  cut(point?: FaultPoint): void {
    if (point) this.arm('cut', point);
    else for (const user of this.users) user.terminate();
  }

  /** Nothing arrives from that frame on, a goodbye neither, until `heal()`. Without a point: from now on. */
  stall(point?: FaultPoint): void {
    if (point) this.arm('stall', point);
    else this.stalled = true;
  }

  /**
   * Flips a bit: of exactly the byte after `afterBytes`, or of the last one of the frame with the message after
   * `afterMessages`. Without a point: in the next frame.
   */
  corrupt(point: FaultPoint = { afterMessages: 0 }): void {
    this.arm('corrupt', point);
  }

  /**
   * From that frame on everything arrives so many milliseconds later, on the clock of the grid and in order. Without a
   * point: from now on.
   */
  delay(ms: number, point?: FaultPoint): void {
    if (point) this.arm('delay', point, ms);
    else this.delayMs = ms;
  }

  /** Ends stall and delay and takes back what has not struck yet. What was held arrives now. */
  heal(): void {
    this.faults = [];
    this.delayMs = 0;
    this.stalled = false;
    this.parcels = this.parcels.map((parcel) => ({ ...parcel, dueAt: 0 }));
    this.release();
  }

  /** @internal */
  join(user: WireUser): void {
    this.users.add(user);
  }

  /** @internal The connection is gone: what it has under way is dropped. */
  leave(user: WireUser): void {
    this.users.delete(user);
    const lost = this.parcels.filter((parcel) => parcel.user === user);
    this.parcels = this.parcels.filter((parcel) => parcel.user !== user);
    this.release();
    for (const { drop } of lost) drop?.();
  }

  /** @internal */
  sendFrame(user: WireUser, frame: Uint8Array, deliver: (frame: Uint8Array) => void, drop?: () => void): void {
    const start = this.bytesSent;
    this.bytesSent += frame.length;
    this.messagesSent += messagesOf(frame);
    let arriving = frame;
    for (const { kind, atByte, ms } of this.striking()) {
      if (kind === 'cut') {
        drop?.();
        user.terminate();
        return;
      }
      if (kind === 'stall') this.stalled = true;
      if (kind === 'delay') this.delayMs = ms;
      if (kind === 'corrupt') arriving = corrupted(arriving, Math.min(atByte - start, frame.length - 1));
    }
    this.send(user, () => deliver(arriving), drop);
  }

  /** @internal Anything else that must not overtake a frame. */
  send(user: WireUser, deliver: () => void, drop?: () => void): void {
    if (!this.users.has(user)) return drop?.();
    this.parcels.push({ user, dueAt: this.clock.now() + this.delayMs, deliver, drop });
    this.release();
  }

  private arm(kind: Fault['kind'], { afterBytes = Infinity, afterMessages = Infinity }: FaultPoint, ms = 0): void {
    const { bytesSent, messagesSent } = this;
    this.faults.push({ kind, atByte: bytesSent + afterBytes, atMessage: messagesSent + afterMessages, ms });
  }

  /** Takes out the faults that the frame just counted has reached. */
  private striking(): Fault[] {
    const reached = ({ atByte, atMessage }: Fault): boolean => atByte < this.bytesSent || atMessage < this.messagesSent;
    const striking = this.faults.filter(reached);
    this.faults = this.faults.filter((fault) => !reached(fault));
    return striking;
  }

  private release(): void {
    this.timer?.cancel();
    this.timer = undefined;
    while (!this.stalled && this.parcels.length > 0) {
      const wait = this.parcels[0]!.dueAt - this.clock.now();
      if (wait > 0) {
        this.timer = this.clock.setTimer(wait, () => this.release());
        return;
      }
      this.parcels.shift()!.deliver();
    }
  }
}

/** Takes all that any side may send: limits are for the hosts under test. */
const RULES: DecodeRules = { extensions: new Set(EXTENSIONS), messageBytes: Infinity, frameMessages: Infinity };

function messagesOf(frame: Uint8Array): number {
  try {
    return decodeFrame(frame, RULES).length;
  } catch {
    // a host under test may send what is no frame
    return 1;
  }
}

/** A copy: the sender's memory is its own. */
function corrupted(frame: Uint8Array, index: number): Uint8Array {
  const copy = new Uint8Array(frame);
  copy[index]! ^= 1;
  return copy;
}
