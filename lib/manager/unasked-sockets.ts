import type { Socket } from 'node:net';

interface Unasked {
  readonly address: string;
  /** What is encrypted in its place, once its TLS handshake is over. */
  socket: Socket;
}

/**
 * Connections to a listener that have asked for nothing yet. While there are too many, the oldest one of the address
 * that has most of them goes: who opens sockets and says nothing gets in its own way only, and a host says at once what
 * it wants.
 */
export class UnaskedSockets {
  /** By where they come from, the oldest first. */
  private readonly sockets = new Map<string, Unasked>();

  /** `onFull`: there are more than so many. */
  constructor(
    private readonly most: number,
    private readonly onFull: () => void,
  ) {}

  add(socket: Socket): void {
    const end = farEnd(socket);
    this.sockets.set(end, { address: socket.remoteAddress ?? '', socket });
    socket.once('close', () => this.sockets.delete(end));
    if (this.sockets.size <= this.most) return;
    this.onFull();
    this.dropOldest();
  }

  /** The TLS handshake of one is over. */
  secured(socket: Socket): void {
    const unasked = this.sockets.get(farEnd(socket));
    if (unasked) unasked.socket = socket;
  }

  /** It has asked for an upgrade: what becomes of it is decided there. */
  asked(socket: Socket): void {
    this.sockets.delete(farEnd(socket));
  }

  close(): void {
    for (const { socket } of this.sockets.values()) socket.destroy();
  }

  private dropOldest(): void {
    const counts = new Map<string, number>();
    for (const { address } of this.sockets.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const [most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    for (const [end, { address, socket }] of this.sockets) {
      if (address !== most) continue;
      this.sockets.delete(end);
      socket.destroy();
      return;
    }
  }
}

function farEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
