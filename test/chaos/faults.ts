import type { Cluster } from '../../sample/storage/src/launcher/cluster.js';
import type { NodeProcess } from '../../sample/storage/src/launcher/node-process.js';
import { until } from '../conformance/hang-budget.js';
import type { Chance } from './chance.js';
import { lasts } from '../pace.js';
import type { Violation } from './violation.js';
import type { Wires } from './wires.js';

/** How far the clocks of two hosts may be apart, as the operator's page says. */
const WINDOW_MS = 5 * 60_000;
/** A node that was told to end is gone by then: a drain of 2 s, at most 5 s to close, and a machine with much to do. */
const ENDS_WITHIN_MS = 15_000;
const DIAL_MS = 2_500;
const START_TRIES = 10;
const LOOK_EVERY_MS = 100;
/** Whose clock is off inside the window finds somebody by then, unless the others have faults of their own. */
const FINDS_WITHIN_MS = 8_000;
/** Between two faults of a lane, at least and at most: what was broken gets some time to work again. */
const PAUSE_MS = [300, 4_000] as const;

export const FAULTS = [
  'kill',
  'stop',
  'long stop',
  'cut',
  'cut node',
  'stall',
  'long stall',
  'partition',
  'clock within',
  'clock beyond',
  'rolling restart',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Longer than the 20 s after which a silent connection is given up. They need their time. */
const LONG: ReadonlySet<Fault> = new Set(['long stop', 'long stall']);

export interface FaultPorts {
  readonly cluster: Cluster;
  readonly wires: Wires;
  readonly violate: (violation: Violation) => void;
  readonly say: (line: string) => void;
}

/** Makes faults, each kind as often as the others, two at a time at different nodes. */
export class Faults {
  readonly made = new Map<Fault, number>();
  private readonly busy = new Set<number>();
  private bag: Fault[] = [];
  private stopped = false;

  /**
   * @param survivor This node is never ended: what leaks over the whole run is seen on it.
   * @param withLong Also those that take half a minute.
   */
  constructor(
    private readonly ports: FaultPorts,
    private readonly chance: Chance,
    readonly survivor: number,
    private readonly withLong: boolean,
  ) {}

  /** Nodes that are expected to answer. */
  readonly serving = (): readonly number[] =>
    this.ports.cluster.alive.map(({ number }) => number).filter((number) => !this.busy.has(number));

  /** Until `stop()`; resolves when the last one was undone. */
  async run(): Promise<void> {
    await Promise.all([this.lane(), this.lane()]);
  }

  stop(): void {
    this.stopped = true;
  }

  private async lane(): Promise<void> {
    while (!this.stopped) {
      await lasts(this.chance.between(...PAUSE_MS));
      if (this.stopped) return;
      const fault = this.draw();
      const chance = this.chance.fork();
      if (fault === 'rolling restart') await this.rolling(chance);
      else await this.at(fault, chance);
    }
  }

  private async at(fault: Exclude<Fault, 'rolling restart'>, chance: Chance): Promise<void> {
    const { cluster, say } = this.ports;
    const fit = cluster.nodes.filter(
      ({ number }) => !this.busy.has(number) && (fault !== 'kill' || this.isMortal(number)),
    );
    // the other lane has the only ones: the fault comes later
    if (fit.length === 0) return void this.bag.unshift(fault);
    const node = chance.pick(fit);
    this.busy.add(node.number);
    this.count(fault);
    say(`${fault} at node ${node.number}`);
    try {
      await this.make(fault, node, chance);
    } finally {
      this.busy.delete(node.number);
    }
  }

  private count(fault: Fault): void {
    this.made.set(fault, (this.made.get(fault) ?? 0) + 1);
  }

  private isMortal(node: number): boolean {
    return node !== this.survivor;
  }

  /** A bag with one of each, drawn to its end: no kind is forgotten in a short run. */
  private draw(): Fault {
    if (this.bag.length === 0) {
      this.bag = this.chance.shuffled(FAULTS.filter((fault) => this.withLong || !LONG.has(fault)));
    }
    return this.bag.pop()!;
  }

  private async make(fault: Exclude<Fault, 'rolling restart'>, node: NodeProcess, chance: Chance): Promise<void> {
    const { wires } = this.ports;
    switch (fault) {
      case 'kill':
        await node.kill();
        await lasts(chance.between(0, 3_000));
        return this.start(node);
      case 'stop':
        return this.frozen(node, chance.between(50, 6_000));
      case 'long stop':
        return this.frozen(node, chance.between(21_000, 26_000));
      case 'cut': {
        // as often as one of a node breaks, another does
        for (let cuts = chance.whole(1, 6); cuts > 0; cuts--) {
          const { links } = wires;
          if (links.length > 0) chance.pick(links).cut();
          await lasts(chance.between(0, 400));
        }
        return;
      }
      case 'cut node':
        for (const link of wires.of(node.number)) link.cut();
        return lasts(chance.between(0, 1_000));
      case 'stall':
        return this.stall(chance, chance.between(200, 7_000));
      case 'long stall':
        return this.stall(chance, chance.between(21_000, 26_000));
      case 'partition': {
        const join = wires.isolate(node.number);
        await lasts(chance.between(500, 8_000));
        return join();
      }
      case 'clock within': {
        await this.turn(node, (chance.is(0.5) ? 1 : -1) * chance.between(1_000, WINDOW_MS - 20_000));
        for (const link of wires.of(node.number)) link.cut();
        await this.connects(node);
        return this.turn(node, 0);
      }
      case 'clock beyond':
        return this.beyond(node, chance);
    }
  }

  private async frozen(node: NodeProcess, ms: number): Promise<void> {
    node.pause();
    await lasts(ms);
    node.resume();
  }

  private async stall(chance: Chance, ms: number): Promise<void> {
    const { links } = this.ports.wires;
    const some = chance.shuffled(links).slice(0, chance.whole(1, 4));
    for (const link of some) {
      if (chance.is(0.7)) link.stall('there');
      if (chance.is(0.7)) link.stall('back');
    }
    await lasts(ms);
    for (const link of some) {
      if (chance.is(0.3)) link.cut();
      else link.resume();
    }
  }

  /** A clock beyond the window: nobody lets the node in until it is right again. */
  private async beyond(node: NodeProcess, chance: Chance): Promise<void> {
    await this.turn(node, (chance.is(0.5) ? 1 : -1) * chance.between(WINDOW_MS + 20_000, 10 * WINDOW_MS));
    // longer than a dial may take: none comes up with a token of before
    const join = this.ports.wires.isolate(node.number);
    await lasts(DIAL_MS);
    join();
    const endsAt = performance.now() + chance.between(2_000, 5_000);
    while (performance.now() < endsAt) {
      const { data, locks } = await node.front.stats();
      const connected = [...data.peers, ...locks.peers].filter(({ state }) => state === 'connected');
      if (connected.length > 0) {
        this.ports.violate({
          promise: 'a host whose clock is beyond the window was let in',
          piece: connected.map(({ host }) => ({ node: node.number, peer: host })),
        });
      }
      await lasts(LOOK_EVERY_MS);
    }
    await this.turn(node, 0);
  }

  /** SIGTERM to one after the other, each while the others serve. */
  private async rolling(chance: Chance): Promise<void> {
    this.count('rolling restart');
    for (const node of chance.shuffled(this.ports.cluster.nodes)) {
      if (this.stopped) return;
      if (this.busy.has(node.number) || !this.isMortal(node.number)) continue;
      this.busy.add(node.number);
      this.ports.say(`rolling restart at node ${node.number}`);
      try {
        await this.restart(node);
      } finally {
        this.busy.delete(node.number);
      }
      await lasts(chance.between(0, 1_500));
    }
  }

  private async restart(node: NodeProcess): Promise<void> {
    const { code, ms } = await node.terminate();
    if (code !== 0 || ms > ENDS_WITHIN_MS) {
      this.ports.violate({
        promise: 'a node that was told to end drains and ends',
        piece: [{ node: node.number, code, ms, output: node.lastOutput }],
      });
    }
    await this.start(node);
  }

  /** It may not find enough others at the first try: they have faults too. */
  private async start(node: NodeProcess): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await node.start();
      } catch (error) {
        if (tries === START_TRIES) throw error;
        this.ports.say(`node ${node.number} could not start: ${(error as Error).message}`);
      }
    }
  }

  private async turn(node: NodeProcess, ms: number): Promise<void> {
    const response = await fetch(`${node.url}/chaos/clock?ms=${Math.round(ms)}`, { method: 'POST' });
    if (!response.ok) throw new Error(`node ${node.number} did not turn its clock: ${await response.text()}`);
  }

  /** Gives it time to be connected with somebody again. */
  private async connects(node: NodeProcess): Promise<void> {
    const giveUpAt = performance.now() + FINDS_WITHIN_MS;
    const found = await until(async () => {
      const { data } = await node.front.stats();
      if (data.peers.some(({ state }) => state === 'connected')) return 'somebody';
      return performance.now() > giveUpAt && 'nobody';
    }, `node ${node.number} does not tell whom it found`);
    if (found === 'nobody') {
      const what = `found nobody within ${FINDS_WITHIN_MS} ms with its clock off inside the window`;
      this.ports.say(`node ${node.number} ${what}`);
    }
  }
}
