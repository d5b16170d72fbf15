import type { MessageSocket, MessageSocketListener } from '../connection/index.js';
import { CloseCode } from '../wire/index.js';

/** What travels from one end to the other. */
type Parcel =
  | { readonly kind: 'frame'; readonly frame: Uint8Array; readonly done: (error?: Error) => void }
  | { readonly kind: 'text' }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

/**
 * One end of a pair of sockets in memory. What is sent arrives in order, in a later turn of the event loop; a write is
 * done when the other end has got it, and only then is the frame copied, so a sender that changes its memory too early
 * is found out. Faults: `cut`, `stall`.
 */
export class MemorySocket implements MessageSocket {
  /** Shown every frame that arrives here, before the listener gets it. */
  tap: ((frame: Uint8Array) => void) | undefined = undefined;
  private other!: MemorySocket;
  private listener: MessageSocketListener | undefined = undefined;
  private state: 'open' | 'closing' | 'closed' = 'open';
  private inbox: Parcel[] = [];
  private hop: NodeJS.Immediate | undefined = undefined;
  private stalled = false;

  constructor(readonly remoteAddress: string) {}

  static pair(): [MemorySocket, MemorySocket] {
    const a = new MemorySocket('memory:b');
    const b = new MemorySocket('memory:a');
    a.other = b;
    b.other = a;
    return [a, b];
  }

  /** True once this end is closed and told so. */
  get closed(): boolean {
    return this.state === 'closed';
  }

  listen(listener: MessageSocketListener): void {
    this.listener = listener;
    this.schedule();
  }

  send(frame: Uint8Array, done: (error?: Error) => void): void {
    if (this.state === 'open') this.other.push({ kind: 'frame', frame, done });
    else setImmediate(() => done(new Error('the socket is closed')));
  }

  /** Sends a text message, which no grid does. */
  sendText(): void {
    if (this.state === 'open') this.other.push({ kind: 'text' });
  }

  close(code: number, reason: string): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.other.push({ kind: 'close', code, reason });
  }

  terminate(): void {
    if (this.state === 'closed') return;
    setImmediate(() => this.end(CloseCode.Abnormal, ''));
    this.other.push({ kind: 'close', code: CloseCode.Abnormal, reason: '' });
  }

  /** The link breaks: both ends are closed at once, what has not arrived never will. */
  cut(): void {
    this.end(CloseCode.Abnormal, '');
    this.other.end(CloseCode.Abnormal, '');
  }

  /** This end stops reading: nothing arrives, the other end's writes are not done, its goodbye is not heard. */
  stall(): void {
    this.stalled = true;
  }

  /** Reads again. */
  flow(): void {
    this.stalled = false;
    this.schedule();
  }

  private push(parcel: Parcel): void {
    if (this.state === 'closed') {
      this.lose([parcel]);
      return;
    }
    this.inbox.push(parcel);
    this.schedule();
  }

  private schedule(): void {
    this.hop ??= setImmediate(() => {
      this.hop = undefined;
      this.deliver();
    });
  }

  private deliver(): void {
    const arrived = this.listener && !this.stalled ? this.inbox.splice(0) : [];
    for (const [index, parcel] of arrived.entries()) {
      if (this.state === 'closed') {
        this.lose(arrived.slice(index));
        return;
      }
      if (this.stalled) {
        this.inbox.unshift(...arrived.slice(index));
        return;
      }
      this.receive(parcel);
    }
  }

  private receive(parcel: Parcel): void {
    switch (parcel.kind) {
      case 'frame': {
        // not slice(): a Buffer's slice shares its memory, which the sender may use again after done()
        const frame = new Uint8Array(parcel.frame);
        parcel.done();
        this.tap?.(frame);
        this.listener?.onFrame(frame);
        return;
      }
      case 'text':
        this.listener?.onViolation(CloseCode.Protocol, 'a text frame');
        return;
      case 'close':
        this.end(parcel.code, parcel.reason);
        this.other.end(parcel.code, parcel.reason);
        return;
    }
  }

  private end(code: number, reason: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.lose(this.inbox.splice(0));
    this.listener?.onClose(code, reason);
  }

  private lose(parcels: readonly Parcel[]): void {
    setImmediate(() => {
      for (const parcel of parcels) if (parcel.kind === 'frame') parcel.done(new Error('the socket is closed'));
    });
  }
}

/** Two sockets joined in memory. */
export function socketPair(): [MemorySocket, MemorySocket] {
  return MemorySocket.pair();
}
