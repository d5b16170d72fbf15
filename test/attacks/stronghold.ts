import { ConformanceNode } from '../conformance/conformance-node.js';
import { EOF, op, type MessageParts } from '../conformance/raw-codec.js';
import { ROUTE as NODE_ROUTE } from '../conformance/raw-peer.js';
import { GridProcess, type Facts, type GridProcessOptions } from './grid-process.js';

/** Calls by what their handler does, without a muxId. */
export interface Calls {
  echo: MessageParts;
  /** A request that is not answered. */
  slow: MessageParts;
  /** A stream that takes no input and says nothing. */
  mute: MessageParts;
  /** A stream that sends as much as it may. */
  endless: MessageParts;
  /** A stream that does not read its input. */
  deaf: MessageParts;
  /** How many messages `deaf` may be sent. */
  deafCapacity: number;
  /** A stream that sends a megabyte at once. */
  large: MessageParts;
}

/** A victim as a siege sees it. */
export interface Stronghold {
  readonly route: string;
  readonly token: string;
  readonly calls: Calls;
  readonly pid: number;
  readonly alive: boolean;
  facts(): Promise<Pick<Facts, 'running' | 'peers'>>;
  end(): Promise<void>;
}

const request = { op: op.Request, deadlineMs: 60_000, flags: EOF };
const stream = { op: op.ConnectMux, flags: EOF };
const MB = 1_024 * 1_024;

/** The handlers of host-main.js. */
export const MANAGER_CALLS: Calls = {
  echo: { ...request, handler: 60 },
  slow: { ...request, handler: 61 },
  mute: { ...stream, handler: 67 },
  endless: { ...stream, handler: 63 },
  deaf: { op: op.ConnectMux, handler: 64 },
  deafCapacity: 4,
  large: { ...stream, handler: 68, payload: String(MB) },
};

/** The manager alone, without Nest. */
export class ManagerHold implements Stronghold {
  readonly route = '/grid/v1';
  readonly token = '';
  readonly calls = MANAGER_CALLS;

  private constructor(readonly process: GridProcess) {}

  static async raise(options: GridProcessOptions): Promise<ManagerHold> {
    return new ManagerHold(await GridProcess.start(options));
  }

  get pid(): number {
    return this.process.pid;
  }

  get alive(): boolean {
    return this.process.alive;
  }

  facts(): Promise<Facts> {
    return this.process.tell('facts');
  }

  end(): Promise<void> {
    return this.process.end();
  }
}

/** `sample/conformance`, as its users start it. */
export class NodeHold implements Stronghold {
  readonly route = NODE_ROUTE;
  readonly token = 'debug';
  readonly calls: Calls = {
    echo: { ...request, handler: 60 },
    slow: { ...request, handler: 62, payload: '50000' },
    mute: { ...stream, handler: 67 },
    endless: { ...stream, handler: 71, payload: '1000000000' },
    deaf: { op: op.ConnectMux, handler: 69 },
    deafCapacity: 1,
    large: { ...stream, handler: 63, payload: `2,${MB}` },
  };

  private constructor(private readonly node: ConformanceNode) {}

  static async raise({ local, hosts }: GridProcessOptions): Promise<NodeHold> {
    const others = hosts.filter((host) => host !== local);
    return new NodeHold(await ConformanceNode.start({ local, hosts: others }));
  }

  get pid(): number {
    return this.node.child.pid!;
  }

  get alive(): boolean {
    return this.node.child.exitCode === null && this.node.child.signalCode === null;
  }

  async facts(): Promise<Pick<Facts, 'running' | 'peers'>> {
    const { peers, handlers } = await this.node.state();
    return {
      running: handlers.running,
      peers: peers.map(({ host, state, incoming, queued }) => ({
        host,
        state,
        incoming,
        handlers: incoming,
        queuedBytes: queued,
        dropped: {},
      })),
    };
  }

  async end(): Promise<void> {
    await this.node.stop();
  }
}
