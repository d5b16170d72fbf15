import { freeHost } from '../ports.js';
import { until } from './hang-budget.js';
import { ConformanceNode, dialersOf } from './conformance-node.js';
import { op, dials } from './raw-codec.js';
import { RawListener } from './raw-listener.js';
import { RawPeer, type DialOptions } from './raw-peer.js';

/** One node under test, the hosts that dial it, and the hosts that it dials. */
export class Stage {
  readonly #peers: RawPeer[] = [];

  private constructor(
    readonly node: ConformanceNode,
    /** Names of hosts that dial the node. */
    readonly dialers: readonly string[],
    /** Hosts that the node dials. */
    readonly listeners: readonly RawListener[],
  ) {}

  static async set(
    options: { dialers?: number; listeners?: number; hosts?: (local: string) => string[] } = {},
  ): Promise<Stage> {
    const local = await freeHost();
    const dialers = dialersOf(local, options.dialers ?? 2);
    const listeners: RawListener[] = [];
    for (let i = 0; i < (options.listeners ?? 0); i++) {
      listeners.push(await RawListener.listen((origin) => dials(local, origin)));
    }
    const hosts = [...dialers, ...listeners.map(({ origin }) => origin), ...(options.hosts?.(local) ?? [])];
    return new Stage(await ConformanceNode.start({ local, hosts }), dialers, listeners);
  }

  get local(): string {
    return this.node.local;
  }

  /** A connected peer; it ends with the test. */
  async peer(options: Partial<DialOptions> = {}): Promise<RawPeer> {
    const peer = await this.dial(options);
    if (peer.hello['Accepted'] !== true) throw new Error(`refused: ${String(peer.hello['RejectedReason'])}`);
    return peer;
  }

  /** A connected peer that the node calls over, too. */
  async linked(options: Partial<DialOptions> = {}): Promise<RawPeer> {
    const peer = await this.peer(options);
    await this.node.reaches(options.host ?? this.dialers[0]!, 'connected');
    return peer;
  }

  /** Dials, accepted or not. */
  async dial(options: Partial<DialOptions> = {}): Promise<RawPeer> {
    return this.#keep(await RawPeer.dial(this.local, { host: this.dialers[0]!, ...options }));
  }

  /** A socket without a Connect. */
  async open(options: Partial<DialOptions> = {}): Promise<RawPeer> {
    return this.#keep(await RawPeer.open(this.local, { host: this.dialers[0]!, ...options }));
  }

  /** Ends what a test opened; fails where the node did anything against the spec. */
  async clear(): Promise<void> {
    const peers = this.#peers.splice(0);
    for (const peer of peers) {
      peer.socket.terminate();
      await peer.closed;
    }
    for (const peer of peers) peer.assertClean();
  }

  async strike(): Promise<void> {
    for (const listener of this.listeners) await listener.close();
    await this.node.stop();
  }

  #keep(peer: RawPeer): RawPeer {
    this.#peers.push(peer);
    return peer;
  }
}

/** The number of handlers 67 and 69 that run now. */
export async function running(peer: RawPeer): Promise<number> {
  const answer = await peer.call(68);
  if (answer.op !== op.Response) throw new Error('handler 68 gave no answer');
  return Number(answer.payload.toString('utf8'));
}

/** Waits until so many of them run: a cancel is read at once, its handler ends a little later. */
export async function runs(peer: RawPeer, count: number): Promise<void> {
  let last = -1;
  await until(
    async () => (last = await running(peer)) === count,
    () => `${last} handlers run in place of ${count}`,
  );
}
