import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../../sample/storage/src/launcher/cluster.js';
import { CallChecker } from './call-checker.js';
import { Chance } from './chance.js';
import { ClientLoad } from './client-load.js';
import { Faults } from './faults.js';
import type { Flags } from './flags.js';
import { HistoryChecker } from './history-checker.js';
import { JournalReader } from './journal-reader.js';
import { LockChecker } from './lock-checker.js';
import { Outcome } from './outcome.js';
import { lasts } from '../pace.js';
import type { Holdings } from './probe.controller.js';
import { Scoreboard } from './scoreboard.js';
import type { Violation } from './violation.js';
import { asSmallAs, connected, healed, holdingsOf, quiet } from './whole-again.js';
import { Wires } from './wires.js';

const PROGRAM = fileURLToPath(new URL('chaos-node.js', import.meta.url));
const CLIENTS = 24;
const WARM_UP_MS = 4_000;
const READ_EVERY_MS = 1_000;
const TELL_EVERY_MS = 10_000;
/** What a busy machine may add to a time limit. */
const LATE_MS = 5_000;
/** A node goes on with what its client gave up: it may be frozen, wait for a lock, and then commit. */
const WANDER_MS = 90_000;
/** Faults of half a minute are for runs that last longer than a few of them. */
const LONG_FROM_MINUTES = 3;

/** One run: a cluster, its clients, the faults, and what must hold whatever they do. */
export class Run {
  private readonly history = new HistoryChecker({ lateMs: LATE_MS, wanderMs: WANDER_MS });
  private readonly locks = new LockChecker();
  private readonly calls = new CallChecker(LATE_MS);
  private readonly board = new Scoreboard();
  private readonly other: Violation[] = [];
  private readonly wires = new Wires();
  private readonly folder = mkdtempSync(join(tmpdir(), 'grid-chaos-'));
  private readonly journals: JournalReader;
  private readonly cluster: Cluster;
  private readonly chance: Chance;
  private readonly load: ClientLoad[] = [];
  private faults: Faults | undefined;
  private readonly begunAt = performance.now();
  private readonly told: string[] = [];

  constructor(
    private readonly flags: Flags,
    private readonly say: (line: string) => void,
  ) {
    this.chance = new Chance(flags.seed);
    this.journals = new JournalReader(this.folder);
    this.cluster = new Cluster(
      { nodes: flags.nodes, port: undefined, dataFolder: undefined, keep: flags.keep, verbose: false },
      {
        program: PROGRAM,
        env: { CHAOS_JOURNALS: this.folder, STORAGE_HEAL_EVERY_MS: '15000', STORAGE_LOCK_TTL_MS: '3000' },
        forward: this.wires.forward,
      },
    );
  }

  /** Resolves with what came of it; also a run that broke off is an outcome. */
  async outcome(): Promise<Outcome> {
    const reading = setInterval(() => this.readJournals(), READ_EVERY_MS);
    const telling = setInterval(() => this.say(this.progress()), TELL_EVERY_MS);
    try {
      await this.act();
    } catch (error) {
      this.other.push({ promise: (error as Error).message, piece: [] });
    } finally {
      clearInterval(reading);
      clearInterval(telling);
      for (const load of this.load) load.stop();
      this.faults?.stop();
    }
    this.readJournals();
    this.calls.finish();
    const outcome = this.sum();
    for (const load of this.load) load.close();
    await this.cluster.stop();
    await this.wires.close();
    this.journals.close();
    if (this.flags.keep || outcome.violations.length > 0) this.say(`journals are in ${this.folder}`);
    else rmSync(this.folder, { recursive: true, force: true });
    return outcome;
  }

  /** Kills what runs and removes what was written, for the last moment. */
  abandon(): void {
    for (const node of this.cluster.nodes) node.killNow();
    if (!this.flags.keep) rmSync(this.folder, { recursive: true, force: true });
  }

  private async act(): Promise<void> {
    await this.cluster.start();
    await connected(this.cluster);
    const before = await this.warmUp();
    this.say(`${this.flags.nodes} nodes are warm; ${CLIENTS} clients, ${this.flags.minutes} min of faults`);

    const survivor = this.chance.whole(0, this.flags.nodes - 1);
    const faults = new Faults(
      {
        cluster: this.cluster,
        wires: this.wires,
        violate: (violation) => this.other.push(violation),
        say: (line) => this.told.push(`${this.seconds()} ${line}`),
      },
      this.chance.fork(),
      survivor,
      this.flags.minutes >= LONG_FROM_MINUTES,
    );
    this.faults = faults;
    const load = this.newLoad(faults.serving);
    this.board.begin();
    const using = load.run(CLIENTS, this.chance.fork());
    const failing = faults.run();
    // a failure of either ends the run, and so does the first violation
    const over = Promise.all([using, failing]);
    const until = performance.now() + this.flags.minutes * 60_000;
    while (performance.now() < until && this.violations.length === 0) await Promise.race([lasts(200), over]);
    faults.stop();
    await failing;
    load.stop();
    await using;
    this.board.end();
    this.readJournals();
    if (this.violations.length > 0) return;
    await this.look(survivor, before);
  }

  /** Load without faults; what the nodes hold after it is what a node without leaks holds in the end. */
  private async warmUp(): Promise<Holdings> {
    const load = this.newLoad(() => this.cluster.nodes.map(({ number }) => number));
    const using = load.run(CLIENTS, this.chance.fork());
    await lasts(WARM_UP_MS);
    load.stop();
    await using;
    load.close();
    await healed(this.cluster);
    await quiet(this.cluster);
    const all = await Promise.all(this.cluster.nodes.map(holdingsOf));
    return all.reduce((most, one) => (one.heapUsed > most.heapUsed ? one : most));
  }

  private async look(survivor: number, before: Holdings): Promise<void> {
    this.say(`${this.seconds()} no more faults`);
    const after: string[] = [];
    after.push(`all nodes connected after ${(await connected(this.cluster)).toFixed(0)} ms`);
    const { ms, copies } = await healed(this.cluster);
    after.push(`${copies} copies equal after ${(ms / 1000).toFixed(1)} s`);
    const load = this.newLoad(() => []);
    await Promise.all(this.cluster.nodes.map(({ number }) => load.readAll(number)));
    load.close();
    await quiet(this.cluster);
    after.push('no call open');
    for (const node of this.cluster.nodes) {
      const { heapUsed, resources } = await asSmallAs(before, node);
      const heap = `${(heapUsed / 2 ** 20).toFixed(1)} MB of heap (${(before.heapUsed / 2 ** 20).toFixed(1)} before)`;
      const mark = node.number === survivor ? ', never ended' : '';
      after.push(`node ${node.number}${mark}: ${heap}, ${JSON.stringify(resources)}`);
    }
    this.history.finish();
    for (const line of after) this.say(`  ${line}`);
  }

  private newLoad(serving: () => readonly number[]): ClientLoad {
    const load = new ClientLoad(
      { urls: this.cluster.nodes.map(({ url }) => url), serving },
      {
        began: (operation) => this.history.began(operation),
        ended: (operation) => {
          this.history.end(operation);
          this.board.count(operation);
        },
      },
      this.load.length,
    );
    this.load.push(load);
    return load;
  }

  private readJournals(): void {
    for (const { node, words } of this.journals.fresh()) {
      const [type, first = '', second = '', third = '', fourth = ''] = words;
      if (type === 'r') this.calls.record({ type: 'ran', id: first, node });
      if (type === 'h') this.calls.record({ type: 'hangs', id: first, lateMs: Number(second) });
      if (type === 'e') {
        this.calls.record({ type: 'ended', id: first, code: second, notSent: third === '1', lateMs: Number(fourth) });
      }
      if (type === 'l') {
        const kind = third === 'write' ? 'write' : 'read';
        this.locks.saw({ resource: first, uid: second, kind, at: Number(fourth) });
      }
    }
  }

  private get violations(): Violation[] {
    return [...this.history.violations, ...this.locks.violations, ...this.calls.violations, ...this.other];
  }

  private seconds(): string {
    return `${((performance.now() - this.begunAt) / 1000).toFixed(1).padStart(7)} s`;
  }

  private progress(): string {
    const faults = [...(this.faults?.made.values() ?? [])].reduce((sum, count) => sum + count, 0);
    const up = this.cluster.nodes.filter(({ running }) => running).length;
    const parts = [
      `${this.board.total} operations`,
      `${this.calls.calls} calls, ${this.calls.notSent} notSent`,
      `${this.locks.sights} lock checks`,
      `${faults} faults`,
      `${up} nodes up, ${this.wires.links.length} links`,
      `${this.violations.length} violations`,
    ];
    return `${this.seconds()}  ${parts.join('; ')}`;
  }

  private sum(): Outcome {
    return new Outcome({
      flags: this.flags,
      seconds: (performance.now() - this.begunAt) / 1000,
      operations: this.board.counts,
      errors: this.board.errors,
      faults: this.faults?.made ?? new Map(),
      calls: this.calls.calls,
      notSent: this.calls.notSent,
      lockChecks: this.locks.sights,
      reconnects: Math.max(0, this.wires.made - this.flags.nodes * (this.flags.nodes - 1)),
      unavailable: this.board.longestUnavailable(),
      violations: this.violations,
      told: this.told,
    });
  }

  /** Writes the outcome where the flags say. */
  static write(flags: Flags, outcome: Outcome): void {
    if (flags.report !== undefined) writeFileSync(flags.report, `${JSON.stringify(outcome.report(), undefined, 2)}\n`);
  }
}
