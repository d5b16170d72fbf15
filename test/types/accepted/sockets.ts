import type { MessageSocket, MessageSocketListener } from 'nestjs-grid/core';

/** A socket of an application around another one: it looks at what comes and hands it on. */
export class CountedSocket implements MessageSocket {
  bytes = 0;

  constructor(private readonly inner: MessageSocket) {}

  get remoteAddress(): string | undefined {
    return this.inner.remoteAddress;
  }

  send(frame: Uint8Array, done: (error?: Error) => void, room?: number): void {
    this.inner.send(frame, done, room);
  }

  close(code: number, reason: string): void {
    this.inner.close(code, reason);
  }

  terminate(): void {
    this.inner.terminate();
  }

  listen(listener: MessageSocketListener): void {
    this.inner.listen({
      onFrame: (frame) => {
        this.bytes += frame.byteLength;
        listener.onFrame(frame.subarray());
      },
      onViolation: (code, reason) => listener.onViolation(code, reason),
      onClose: (code, reason) => listener.onClose(code, reason),
    });
  }
}
