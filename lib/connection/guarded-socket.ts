import { inspect } from 'node:util';
import { toGridError } from '../errors/index.js';
import { CloseCode, type Frame } from '../wire/index.js';
import type { FrameListener, FrameSocket } from './message-socket.js';

type Event = (listener: FrameListener) => void;

/**
 * A socket that the application brought, made to keep what `MessageSocket` promises: no method throws, `done` is called
 * once, nothing is delivered inside `send`, and nothing after the end. A socket whose goodbye fails is dropped, and one
 * that cannot even be dropped counts as closed: the calls of its connection end whatever it does.
 */
export function guardedSocket(socket: FrameSocket): FrameSocket {
  return new GuardedSocket(socket);
}

class GuardedSocket implements FrameSocket, FrameListener {
  readonly remoteAddress: string | undefined;
  private listener: FrameListener | undefined = undefined;
  /** What came inside `send`, and after it until its caller is done; or before anybody listened. */
  private readonly waiting: Event[] = [];
  private sending = false;
  /** The end was told, or waits. */
  private closed = false;

  constructor(private readonly socket: FrameSocket) {
    this.remoteAddress = socket.remoteAddress;
  }

  get closing(): boolean {
    return this.socket.closing === true;
  }

  listen(listener: FrameListener): void {
    this.listener = listener;
    this.flush();
    try {
      this.socket.listen(this);
    } catch (fault) {
      this.terminate();
      this.lose(fault);
    }
  }

  send(frame: Uint8Array, done: (error?: Error) => void, room?: number): void {
    let told = false;
    const once = (error?: Error): void => {
      if (told) return;
      told = true;
      done(error);
    };
    // a write that is done at once may be followed by the next one from within
    const outer = this.sending;
    this.sending = true;
    try {
      this.socket.send(frame, once, room);
    } catch (fault) {
      once(toGridError(fault));
    } finally {
      this.sending = outer;
    }
  }

  close(code: number, reason: string): void {
    try {
      this.socket.close(code, reason);
    } catch {
      // without a goodbye then: why it ends is known to this side already
      this.terminate();
    }
  }

  terminate(): void {
    try {
      this.socket.terminate();
    } catch (fault) {
      this.lose(fault);
    }
  }

  onFrame(frame: Frame): void {
    this.tell((listener) => listener.onFrame(frame));
  }

  onViolation(code: number, reason: string): void {
    this.tell((listener) => listener.onViolation(code, reason));
  }

  onClose(code: number, reason: string): void {
    this.tell((listener) => listener.onClose(code, reason), true);
  }

  /** As for any socket: below it are secrets, and calls lead to it. */
  [inspect.custom](): string {
    return `GuardedSocket { ${this.remoteAddress ?? 'address unknown'} }`;
  }

  toJSON(): object {
    return { remoteAddress: this.remoteAddress };
  }

  /** It will not say by itself that it is closed. Told later: who dropped it is still at work. */
  private lose(fault: unknown): void {
    queueMicrotask(() => this.onClose(CloseCode.Abnormal, toGridError(fault).message));
  }

  private tell(event: Event, last = false): void {
    if (this.closed) return;
    this.closed = last;
    if (this.listener && !this.sending && this.waiting.length === 0) {
      event(this.listener);
      return;
    }
    if (this.waiting.length === 0) queueMicrotask(() => this.flush());
    this.waiting.push(event);
  }

  private flush(): void {
    const { listener, waiting } = this;
    if (!listener) return;
    let told = 0;
    try {
      // what comes meanwhile comes after what waits
      for (const event of waiting) {
        told++;
        event(listener);
      }
    } finally {
      waiting.splice(0, told);
      // it threw: what waits behind is told all the same
      if (waiting.length > 0) queueMicrotask(() => this.flush());
    }
  }
}
