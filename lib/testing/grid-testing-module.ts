import { setTimeout as pause } from 'node:timers/promises';
import { Logger, type INestApplication } from '@nestjs/common';
import { shownOption, verifyOptionNames } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { DEFAULTS, type GridPeer, type OpenCalls } from '../manager/index.js';
import {
  connectGrid,
  getGridToken,
  type ConnectGridOptions,
  type Grid,
  type GridModuleOptions,
} from '../nest/index.js';
import type { GridLogger } from '../observe/index.js';
import { systemClock } from '../time/index.js';
import type { FaultyWire } from './faulty-wire.js';
import { freeHosts } from './free-ports.js';
import { ManualClock } from './manual-clock.js';
import { TestWiring } from './test-wiring.js';
import { testingApp, type TestingAppOptions } from './testing-app.js';

/** Options of `GridTestingModule.create()`. */
export interface GridTestingOptions extends TestingAppOptions {
  /**
   * Number of hosts, at least 1, or, in memory, their origins: those of production, where clients of the module under
   * test name them. Default 2.
   */
  readonly nodes?: number | readonly string[];
  /**
   * `memory`: sockets joined in memory, no port is opened. `loopback`: each app listens on a free port of 127.0.0.1.
   * Default `memory`.
   */
  readonly wire?: 'memory' | 'loopback';
  /**
   * Options of all grids that differ from the defaults; a `clock` is shared by all. Without a `logger` only errors are
   * logged.
   */
  readonly grid?: Partial<Omit<GridModuleOptions, 'local' | 'hosts' | 'dialer'>>;
  /** How each app is connected to its grid. */
  readonly connect?: ConnectGridOptions;
}

/** One host of a `GridTestingModule`. */
export interface GridTestingNode {
  /** Its name in the list of hosts. */
  readonly origin: string;
  /** It has started. `app.close()` ends this host alone. */
  readonly app: INestApplication;
  /** Its grid: the one with the name in the option `grid`, where there is one. */
  readonly grid: Grid;
}

/** Several Nest apps in one process that form a grid: `await GridTestingModule.create({ nodes: 3, metadata })`. */
export class GridTestingModule {
  private constructor(
    /** The hosts, in the order of their list. */
    readonly nodes: readonly GridTestingNode[],
    private readonly wiring: TestWiring,
    private readonly clock: unknown,
  ) {}

  /**
   * Makes and starts the apps; they are connected when it resolves. Rejects where one cannot be made, or where one
   * refuses another: by `auth`, for example. INVALID_ARGUMENT for options that would not be heeded.
   */
  static async create(options: GridTestingOptions = {}): Promise<GridTestingModule> {
    verify(options);
    const { nodes: asked = 2, wire = 'memory' } = options;
    const name = options.grid?.name ?? DEFAULTS.name;
    const hosts = await hostsOf(asked, wire);
    const nodes: GridTestingNode[] = [];
    const wiring = new TestWiring(wire, nodes, options.grid?.clock ?? systemClock);
    const made = new GridTestingModule(nodes, wiring, options.grid?.clock);
    try {
      for (const [index, origin] of hosts.entries()) {
        const intervals = { redialMs: REDIAL_MS, ...options.grid?.intervals };
        const auth = options.grid?.auth ?? { secret: SECRET };
        const dialer = wiring.dialerOf(origin, auth);
        const logger = quietLogger();
        const grid = { logger, ...options.grid, auth, dialer, intervals, local: origin, hosts };
        const app = await testingApp(options, index, grid);
        await connectOrClose(app, { grid: name, ...options.connect });
        nodes.push({ origin, app, grid: app.get<Grid>(getGridToken(name)) });
      }
      for (const { app, origin } of nodes) {
        await (wire === 'memory' ? app.init() : app.listen(Number(new URL(origin).port), '127.0.0.1'));
      }
      // looked at from the first dial on
      const refused = refusalAmong(nodes);
      wiring.open();
      await Promise.race([made.connected(), refused]);
      return made;
    } catch (error) {
      wiring.open();
      // why they cannot be made is what counts
      await Promise.allSettled([made.close()]);
      throw error;
    }
  }

  /** Host number `to` as host number `from` calls it; the same number twice is a call to itself. */
  peer(from: number, to: number): GridPeer {
    return this.node(from).grid.peer(this.node(to).origin);
  }

  /** What host number `from` sends to host number `to`, to set faults on. */
  wire(from: number, to: number): FaultyWire {
    return this.wiring.wire(this.node(from).origin, this.node(to).origin);
  }

  /** Resolves when every host is connected to every other one and hears it. */
  async connected(): Promise<void> {
    await this.whileTimeMoves(Promise.all(this.nodes.flatMap(({ grid }) => grid.peers.map(reached))));
    // a ping waits a little after one that was made just before: on a clock that stands still for ever
    if (this.clock instanceof ManualClock) this.clock.advance(REDIAL_MS);
  }

  /**
   * Moves the manual clock of `grid: { clock }` on, in steps between which pings are answered: the same time in one
   * jump would be a long silence, and end connections.
   */
  async advance(ms: number): Promise<void> {
    const { clock } = this;
    if (!(clock instanceof ManualClock)) {
      throw new GridError('FAILED_PRECONDITION', 'advance() needs a manual clock: grid: { clock: new ManualClock() }');
    }
    for (let left = ms; left > 0; left -= STEP_MS) {
      clock.advance(Math.min(left, STEP_MS));
      for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Throws a GridError that names what still runs or waits: calls (of a host to itself too), handlers, messages. */
  assertIdle(): void {
    const busy: string[] = [];
    for (const { grid, origin } of this.nodes) {
      const { peers, self } = grid.stats();
      for (const { host, queued, ...open } of [...peers, { ...self, host: 'itself', queued: 0 }]) {
        const held = host === 'itself' ? 0 : this.wiring.wire(origin, host).held;
        const left = [callsOf(open), number(queued, 'messages not written'), number(held, 'frames held')].flat();
        if (left.length > 0) busy.push(`${origin} with ${host}: ${left.join(', ')}`);
      }
      const events = grid.handlers.runningEvents;
      if (events > 0) busy.push(`${origin}: ${events} events`);
    }
    if (busy.length > 0) throw new GridError('FAILED_PRECONDITION', `the grid is not idle: ${busy.join('; ')}`);
  }

  /** Ends all faults and closes all apps; a manual clock moves on as far as that takes. */
  async close(): Promise<void> {
    this.wiring.heal();
    await this.whileTimeMoves(Promise.all(this.nodes.map(({ app }) => app.close())));
    await this.wiring.closed();
  }

  private node(index: number): GridTestingNode {
    const node = this.nodes[index];
    if (node) return node;
    throw new GridError('INVALID_ARGUMENT', `there is no node ${index}: the nodes are 0 to ${this.nodes.length - 1}`);
  }

  /** Nothing that waits for a time comes to its end on a clock that stands still. */
  private async whileTimeMoves(work: Promise<unknown>): Promise<void> {
    const { clock } = this;
    const waiting = { over: !(clock instanceof ManualClock) };
    const over = (): void => {
      waiting.over = true;
    };
    work.then(over, over);
    while (!waiting.over) {
      // what takes real time (cryptography, sockets) gets a little of it
      await pause(1);
      if (!waiting.over && clock instanceof ManualClock) clock.advance(REDIAL_MS);
    }
    await work;
  }
}

const NAMES: Readonly<Record<keyof GridTestingOptions, true>> = {
  nodes: true,
  wire: true,
  metadata: true,
  app: true,
  grid: true,
  connect: true,
  adapter: true,
};

/** @throws GridError INVALID_ARGUMENT: a test whose options are not heeded may pass for nothing. */
function verify(options: GridTestingOptions): void {
  const where = 'GridTestingModule.create';
  verifyOptionNames(where, options, Object.keys(NAMES));
  const { nodes = 2, wire = 'memory' } = options;
  const wrong = (option: string, value: unknown, allowed: string): GridError =>
    new GridError('INVALID_ARGUMENT', `${where}: ${option} is ${shownOption(value)}; it must be ${allowed}`);
  const count: unknown = Array.isArray(nodes) ? nodes.length : nodes;
  if (!Number.isSafeInteger(count) || Number(count) < 1) throw wrong('nodes', nodes, 'a whole number of at least 1');
  if (Array.isArray(nodes) && wire === 'loopback') throw wrong('nodes', nodes, 'a number: loopback takes free ports');
  if (wire !== 'memory' && wire !== 'loopback') throw wrong('wire', wire, "'memory' or 'loopback'");
}

const SECRET = 'the secret of all grids that are made for tests';
/** In place of seconds: hosts start one after the other. */
const REDIAL_MS = 20;
/** Well below the silence after which a connection is given up. */
const STEP_MS = 1_000;
/** So many turns of the event loop are enough for a ping and its answer. */
const TURNS = 12;

async function hostsOf(asked: number | readonly string[], wire: 'memory' | 'loopback'): Promise<readonly string[]> {
  if (typeof asked !== 'number') return asked;
  if (wire === 'loopback') return freeHosts(asked);
  return Array.from({ length: asked }, (_, index) => `http://node-${index + 1}:9000`);
}

async function connectOrClose(app: INestApplication, options: ConnectGridOptions): Promise<void> {
  try {
    await connectGrid(app, options);
  } catch (error) {
    await Promise.allSettled([app.close()]);
    throw error;
  }
}

/** Rejects when one of the hosts refuses another: it would do so for ever, and the lines about it are not logged. */
function refusalAmong(nodes: readonly GridTestingNode[]): Promise<never> {
  return new Promise((_, reject) => {
    for (const { grid, origin } of nodes) {
      grid.events.subscribe((event) => {
        if (event.type !== 'refused' || event.direction !== 'outgoing') return;
        reject(new GridError('FAILED_PRECONDITION', `${event.peer} refuses ${origin}: ${event.reason}`));
      });
    }
  });
}

/** A connection that was just lost may not know it yet: only an answer proves that it stands. */
async function reached(peer: GridPeer): Promise<void> {
  for (;;) {
    await peer.waitForConnect();
    try {
      await peer.ping();
      return;
    } catch {
      // it was lost: the next one is waited for
      await pause(1);
    }
  }
}

/** Errors only: that connections are lost and hosts leave is what a test does to them. */
function quietLogger(): GridLogger {
  const logger = new Logger('Grid');
  return { log: () => {}, warn: () => {}, error: (message) => logger.error(message) };
}

function callsOf({ outgoing, incoming, running }: OpenCalls): string[] {
  return [number(outgoing, 'outgoing calls'), number(incoming, 'incoming calls'), number(running, 'handlers')].flat();
}

function number(count: number, of: string): string[] {
  return count === 0 ? [] : [`${count} ${of}`];
}
