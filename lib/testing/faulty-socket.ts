import type { MessageSocket, MessageSocketListener } from '../connection/index.js';
import { CloseCode, joined } from '../wire/index.js';
import type { FaultyWire } from './faulty-wire.js';

/** The dialer's end of a connection, led over the two wires between its hosts. */
export class FaultySocket implements MessageSocket {
  private listener: MessageSocketListener | undefined = undefined;

  constructor(
    private readonly inner: MessageSocket,
    /** From the dialer to the acceptor. */
    private readonly there: FaultyWire,
    private readonly back: FaultyWire,
  ) {
    there.join(this);
    back.join(this);
  }

  get remoteAddress(): string | undefined {
    return this.inner.remoteAddress;
  }

  listen(listener: MessageSocketListener): void {
    this.listener = listener;
    this.inner.listen({
      onFrame: (frame) => this.back.sendFrame(this, joined(frame), (arriving) => this.listener?.onFrame(arriving)),
      onViolation: (code, reason) => this.back.send(this, () => this.listener?.onViolation(code, reason)),
      onClose: (code, reason) => this.back.send(this, () => this.end(code, reason)),
    });
  }

  send(frame: Uint8Array, done: (error?: Error) => void): void {
    const drop = (): void => void setImmediate(() => done(new Error('the socket is closed')));
    this.there.sendFrame(this, frame, (arriving) => this.inner.send(arriving, done), drop);
  }

  close(code: number, reason: string): void {
    this.there.send(this, () => this.inner.close(code, reason));
  }

  terminate(): void {
    this.leave();
    this.inner.terminate();
    // not when the inner socket tells it: that would have to come over the wire
    setImmediate(() => this.end(CloseCode.Abnormal, ''));
  }

  private end(code: number, reason: string): void {
    const { listener } = this;
    this.listener = undefined;
    this.leave();
    listener?.onClose(code, reason);
  }

  private leave(): void {
    this.there.leave(this);
    this.back.leave(this);
  }
}
