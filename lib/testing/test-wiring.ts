import type { MessageSocket } from '../connection/index.js';
import { GridError } from '../errors/index.js';
import { authOf } from '../manager/auth.js';
import type { Dialer, GridAuth } from '../manager/index.js';
import { OpenSockets } from '../manager/open-sockets.js';
import { dialWebSocket } from '../manager/ws-dialer.js';
import type { Grid } from '../nest/index.js';
import type { Clock } from '../time/index.js';
import { FaultySocket } from './faulty-socket.js';
import { FaultyWire } from './faulty-wire.js';
import { socketPair } from './socket-pair.js';

/** A host that can be dialed. */
export interface WiredHost {
  readonly origin: string;
  readonly grid: Grid;
}

/** Leads all connections between the hosts of a test over wires on which faults can be set. */
export class TestWiring {
  private readonly wires = new Map<string, FaultyWire>();
  private readonly opened: Promise<void>;
  private readonly sockets = new OpenSockets();
  /** Lets the hosts dial: all of them are there now. */
  open!: () => void;

  constructor(
    private readonly kind: 'memory' | 'loopback',
    private readonly hosts: readonly WiredHost[],
    private readonly clock: Clock,
  ) {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }

  /** What one host sends to another. @throws GridError where both are the same: nothing is sent then. */
  wire(from: string, to: string): FaultyWire {
    if (from === to) throw new GridError('INVALID_ARGUMENT', 'calls of a host to itself go over no wire');
    const key = `${from} ${to}`;
    let wire = this.wires.get(key);
    if (!wire) this.wires.set(key, (wire = new FaultyWire(this.clock)));
    return wire;
  }

  heal(): void {
    for (const wire of this.wires.values()) wire.heal();
  }

  /** Resolves when no socket is left. */
  async closed(): Promise<void> {
    await this.sockets.empty();
  }

  /** @param auth that of the grid which dials */
  dialerOf(local: string, auth: GridAuth): Dialer {
    return async (peer, signal) => {
      await this.opened;
      const [caller, target] = [this.host(local), this.host(peer)];
      const socket = this.kind === 'memory' ? joined(target) : await this.dialed(caller, target, auth, signal);
      return new FaultySocket(socket, this.wire(local, peer), this.wire(peer, local));
    };
  }

  /** What a grid without a `dialer` does. */
  private async dialed(
    { grid }: WiredHost,
    { origin: peer }: WiredHost,
    auth: GridAuth,
    signal: AbortSignal,
  ): Promise<MessageSocket> {
    const { local, hosts, clock, route, limits } = grid.options;
    const token = (await authOf(auth, hosts, clock).token?.sign({ from: local, to: peer })) ?? '';
    const { frameBytes } = limits;
    return dialWebSocket({
      peer,
      route,
      token,
      dateMs: clock.date(),
      tls: {},
      frameBytes,
      signal,
      sockets: this.sockets,
    });
  }

  private host(origin: string): WiredHost {
    const host = this.hosts.find((one) => one.origin === origin);
    if (!host) throw new GridError('UNAVAILABLE', `${origin} is not there`);
    return host;
  }
}

function joined(target: WiredHost): MessageSocket {
  const [here, there] = socketPair();
  target.grid.incoming(there);
  return here;
}
