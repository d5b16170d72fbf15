import type { WebSocket } from 'ws';

/** The WebSockets of one grid that are not closed yet: `close()` waits for them, so that nothing keeps the process. */
export class OpenSockets {
  private readonly sockets = new Set<WebSocket>();
  private onEmpty: (() => void)[] = [];

  add(ws: WebSocket): void {
    if (ws.readyState === ws.CLOSED) return;
    this.sockets.add(ws);
    ws.once('close', () => {
      this.sockets.delete(ws);
      if (this.sockets.size > 0) return;
      for (const tell of this.onEmpty.splice(0)) tell();
    });
  }

  /** Resolves when all are closed. Each was told to: a connection drops its socket soon after its goodbye. */
  async empty(): Promise<void> {
    if (this.sockets.size > 0) await new Promise<void>((resolve) => this.onEmpty.push(resolve));
  }
}
