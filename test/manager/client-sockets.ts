import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** The sockets that this process opened to others, seen from their own end. */
export class ClientSockets {
  private readonly seen: Socket[] = [];
  private readonly note = (message: unknown): void => void this.seen.push((message as { socket: Socket }).socket);

  constructor() {
    subscribe('net.client.socket', this.note);
  }

  /** Those to this host that are open now. */
  to(origin: string): Socket[] {
    const { port } = new URL(origin);
    return this.seen.filter((socket) => !socket.destroyed && String(socket.remotePort) === port);
  }

  stop(): void {
    unsubscribe('net.client.socket', this.note);
  }
}
