import { once } from 'node:events';
import { GridManager, type GridOptions, type GridPeer } from '../../lib/manager/index.js';
import { bytes } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { dialersOf } from '../conformance/conformance-node.js';
import { until } from '../conformance/hang-budget.js';
import { op } from '../conformance/raw-codec.js';
import { freeHost } from '../ports.js';
import { RawWebSocket } from './raw-websocket.js';
import { letIn, type Attacker } from './siege.js';

const ROUTE = '/grid/v1';

/**
 * A real manager in the test's own process, with limits so low that a few messages reach them, and raw peers on real
 * sockets. For what is exact; how much memory an attack takes is measured by a Siege.
 */
export class Bastion {
  readonly lines: string[] = [];
  /** Ends the handlers 61, 63, 64 and 69 that run. */
  readonly release = new Set<() => void>();
  readonly grid: GridManager;
  private readonly sockets: RawWebSocket[] = [];

  private constructor(
    readonly origin: string,
    readonly names: readonly string[],
    options: Partial<GridOptions>,
  ) {
    const line = (text: string): void => void this.lines.push(text);
    this.grid = new GridManager({
      local: origin,
      hosts: [origin, ...names],
      auth: 'none',
      codec: bytes(),
      logger: { log: line, warn: line, error: line },
      drainTimeoutMs: 0,
      ...options,
    });
    const untilReleased = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const end = (): void => {
          this.release.delete(end);
          resolve();
        };
        this.release.add(end);
        if (signal.aborted) end();
        else signal.addEventListener('abort', end, { once: true });
      });
    this.grid.handle(60, { kind: 'request' }, (payload: Uint8Array) => payload);
    this.grid.handle(61, { kind: 'request' }, async (_payload, { signal }) => untilReleased(signal));
    this.grid.handle(69, { kind: 'request' }, async (payload: Uint8Array, { signal }) => {
      await untilReleased(signal);
      return Buffer.alloc(numberOf(payload));
    });
    this.grid.handle(62, { kind: 'request' }, (payload: Uint8Array) => Buffer.alloc(numberOf(payload)));
    this.grid.handle(63, { kind: 'stream', outCapacity: 4 }, async function* (_payload, { signal }) {
      await untilReleased(signal);
    });
    this.grid.handle(64, { kind: 'stream', inCapacity: 8, outCapacity: 4 }, async function* (_payload, { signal }) {
      await untilReleased(signal);
    });
    this.grid.handle(68, { kind: 'request' }, (payload: Uint8Array) => {
      throw new GridError('UNKNOWN', 'é'.repeat(numberOf(payload)));
    });
  }

  /** `serve` gives the grid a server to listen on; default its own. */
  static async raise(
    options: Partial<GridOptions> = {},
    serve = (grid: GridManager): Promise<unknown> => grid.listen(),
  ): Promise<Bastion> {
    const origin = await freeHost();
    const bastion = new Bastion(origin, dialersOf(origin, 3), options);
    await serve(bastion.grid);
    void bastion.grid.start();
    // the warning of auth: 'none'
    bastion.lines.length = 0;
    return bastion;
  }

  get name(): string {
    return this.names[0]!;
  }

  /** The raw peer as the grid calls it. */
  get peer(): GridPeer {
    return this.grid.peer(this.name);
  }

  /** A WebSocket without a Connect. */
  async open(headers: Record<string, string> = {}, localAddress?: string): Promise<RawWebSocket> {
    const ws = await RawWebSocket.open(this.origin, { route: ROUTE, headers, localAddress });
    this.sockets.push(ws);
    return ws;
  }

  /** A connection that was let in. */
  async attacker(name = this.name, extensions?: readonly string[]): Promise<Attacker> {
    return letIn(await this.open(), name, { extensions });
  }

  /** All that was sent before is dealt with, and the connection lives: a ping of a call that is not there says so. */
  async settle(attacker: Attacker): Promise<void> {
    const answers = attacker.count(op.Pong);
    await attacker.send({ op: op.Ping, muxId: 1_000_000, flags: 0 });
    await until(async () => attacker.count(op.Pong) > answers, 'no pong', 10_000);
  }

  async fall(): Promise<void> {
    await this.grid.close();
    for (const { socket } of this.sockets.splice(0)) {
      if (socket.destroyed) continue;
      const gone = once(socket, 'close');
      socket.destroy();
      await gone;
    }
  }
}

function numberOf(payload: Uint8Array): number {
  return Number(Buffer.from(payload).toString());
}
