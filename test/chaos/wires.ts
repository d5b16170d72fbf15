import { freePorts, LOOPBACK } from '../../sample/storage/src/launcher/ports.js';
import { LinkProxy, type LinkEnds, type ProxiedLink } from './link-proxy.js';

/** All connections between the nodes: each goes through the proxy of the node that is dialed. */
export class Wires {
  private proxies: LinkProxy[] = [];
  private origins: string[] = [];
  private readonly alone = new Map<number, number>();

  /** Puts a proxy before each port, and gives the proxies' ports. */
  readonly forward = async (ports: readonly number[]): Promise<readonly number[]> => {
    await this.close();
    const fronts = await freePorts(ports.length, undefined);
    this.origins = fronts.map((port) => `http://${LOOPBACK}:${port}`);
    const isBlocked = ({ from, to }: LinkEnds): boolean => this.alone.has(from) || this.alone.has(to);
    const nodeOf = (origin: string): number => this.origins.indexOf(origin);
    this.proxies = await Promise.all(
      ports.map((port, node) => LinkProxy.before(node, port, fronts[node]!, isBlocked, nodeOf)),
    );
    return fronts;
  };

  /** Connections of now. */
  get links(): ProxiedLink[] {
    return this.proxies.flatMap(({ links }) => [...links]);
  }

  /** Connections so far. */
  get made(): number {
    return this.proxies.reduce((sum, { made }) => sum + made, 0);
  }

  of(node: number): ProxiedLink[] {
    return this.links.filter(({ ends }) => ends.from === node || ends.to === node);
  }

  /** Cuts all connections of a node, and lets none from or to it come up until the returned function is called. */
  isolate(node: number): () => void {
    this.alone.set(node, (this.alone.get(node) ?? 0) + 1);
    for (const link of this.of(node)) link.cut();
    return () => {
      const left = (this.alone.get(node) ?? 1) - 1;
      if (left > 0) this.alone.set(node, left);
      else this.alone.delete(node);
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    this.proxies = [];
  }
}
