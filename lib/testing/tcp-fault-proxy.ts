import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { systemClock, type Clock } from '../time/index.js';
import { reset, TcpPipe } from './tcp-pipe.js';
import { TcpWay, type TcpBreak } from './tcp-way.js';

/** Options of `TcpFaultProxy.before()`. */
export interface TcpFaultProxyOptions {
  /** Where the proxy listens, on 127.0.0.1. Default: a free port. */
  readonly port?: number;
  /** Keeps what passes in `records`. Default false. */
  readonly record?: boolean;
  /** Times delays and limits. Default: the system's. */
  readonly clock?: Clock;
}

/** Bytes as their sender sent them, whatever became of them. */
export interface TcpRecord {
  /** Connections are counted from 0, as they come. */
  readonly connection: number;
  /** To the port behind, or from it. */
  readonly way: 'there' | 'back';
  /** `clock.now()`, in milliseconds. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

/**
 * A TCP proxy in front of a port of 127.0.0.1, with faults on request: for tests of hosts in processes of their own.
 * Let the origin of a host name the proxy's port, and its option `listen` the port behind it.
 */
export class TcpFaultProxy {
  /** From those who connect to the port behind. */
  readonly there: TcpWay;
  /** From the port behind. */
  readonly back: TcpWay;
  /** What passed, with the option `record`. */
  readonly records: TcpRecord[] = [];
  private readonly sockets = new Set<Socket>();
  private connections = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
    private readonly options: TcpFaultProxyOptions,
    private readonly clock: Clock,
  ) {
    this.there = new TcpWay(clock);
    this.back = new TcpWay(clock);
    server.on('connection', (client: Socket) => this.join(client));
  }

  /** A proxy in front of this port. Nobody need listen there yet. */
  static async before(target: number, options: TcpFaultProxyOptions = {}): Promise<TcpFaultProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpFaultProxy(server, target, options, options.clock ?? systemClock);
  }

  /** Where it listens, on 127.0.0.1. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** As a host of a grid: `http://127.0.0.1:PORT`. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections made so far. */
  get connected(): number {
    return this.connections;
  }

  /** Ends all connections by a FIN to both sides. */
  cut(): void {
    for (const way of [this.there, this.back]) way.cut();
  }

  /** Ends all connections by a RST to both sides. */
  reset(): void {
    for (const way of [this.there, this.back]) way.reset();
  }

  /** A black hole, both ways: nothing passes, an end neither. New connections are made, and nothing passes there. */
  stall(): void {
    for (const way of [this.there, this.back]) way.stall();
  }

  /** Takes back whatever was set, both ways. */
  heal(): void {
    for (const way of [this.there, this.back]) way.heal();
  }

  /** All that one connection's side sent, with the option `record`. */
  recorded(connection: number, way: 'there' | 'back'): Buffer {
    const mine = this.records.filter((record) => record.connection === connection && record.way === way);
    return Buffer.concat(mine.map(({ bytes }) => bytes));
  }

  /** Ends all connections and stops to listen. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(client: Socket): void {
    const number = this.connections++;
    const target = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const onBreak = (how: TcpBreak): void => {
      for (const pipe of pipes) pipe.stop();
      for (const socket of [client, target]) {
        if (how === 'reset') reset(socket);
        else socket.end();
      }
    };
    const pipe = (from: Socket, to: Socket, way: TcpRecord['way']): TcpPipe => {
      const onBytes = (bytes: Buffer): void => {
        if (this.options.record) this.records.push({ connection: number, way, atMs: this.clock.now(), bytes });
      };
      return new TcpPipe({ clock: this.clock, from, to, way: this[way], onBytes, onBreak });
    };
    const pipes = [pipe(client, target, 'there'), pipe(target, client, 'back')];
    for (const socket of [client, target]) {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    }
  }
}
