import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import { dialersOf } from '../conformance/conformance-node.js';
import { freeHost } from '../ports.js';
import {
  connectRequest,
  decode,
  encode,
  merged,
  op,
  type MessageParts,
  type RawMessage,
} from '../conformance/raw-codec.js';
import { offer } from '../conformance/raw-peer.js';
import { body } from '../conformance/raw-msgpack.js';
import { until, within } from '../conformance/hang-budget.js';
import { GridProcess, type Facts, type GridProcessOptions } from './grid-process.js';
import { ProcessMemory } from './process-memory.js';
import { frame, RawWebSocket, type OpenOptions } from './raw-websocket.js';
import { eachMessage } from './tally.js';
import { ManagerHold, type Calls, type Stronghold } from './stronghold.js';
import { MB } from '../scale.js';

/** No call of the honest peer may take longer, in milliseconds: it hangs then. Not a promise of latency. */
const HANG_MS = 20_000;
const EXTENSIONS = ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain'];

const read = (bytes: Buffer | undefined): RawMessage | undefined => bytes && decode(bytes, true)[0];

/** A peer that is let in and then does what it likes. */
export class Attacker {
  /** Answers by op. */
  readonly counts = new Map<number, number>();
  private readonly last = new Map<number, Buffer>();
  private readonly first = new Map<number, Buffer>();

  constructor(readonly ws: RawWebSocket) {
    ws.onFrame = (payload) => {
      eachMessage(payload, (code, bytes) => {
        const count = this.count(code);
        this.counts.set(code, count + 1);
        this.last.set(code, bytes);
        if (count === 0) this.first.set(code, bytes);
        // it stays connected however long its attack takes
        if (code === op.Ping) this.pong(bytes);
      });
    };
  }

  /** The first answer of an op. */
  firstOf(code: number): RawMessage | undefined {
    return read(this.first.get(code));
  }

  /** The last answer of an op: a ping of the victim may come behind it at any time. */
  lastOf(code: number): RawMessage | undefined {
    return read(this.last.get(code));
  }

  private pong(ping: Buffer): void {
    const [message] = decode(ping, true);
    if (message!.muxId === 0n) void this.send({ ...message!, op: op.Pong, flags: 0 });
  }

  count(opCode: number): number {
    return this.counts.get(opCode) ?? 0;
  }

  send(parts: MessageParts): Promise<boolean> {
    return this.ws.write(frame(encode({ flags: 0, ...parts })));
  }

  /** Many messages, some thousand per write, each a frame of its own. False: the victim had enough before the end. */
  async flood(
    count: number,
    message: (index: number) => MessageParts | MessageParts[],
    perFrame = 1,
  ): Promise<boolean> {
    for (let index = 0; index < count;) {
      const frames: Buffer[] = [];
      let bytes = 0;
      for (const end = index + 2_000; index < Math.min(end, count) && bytes < 8 * MB;) {
        const items: Buffer[] = [];
        for (let i = 0; i < perFrame && index < count; i++, index++) {
          for (const parts of [message(index)].flat()) items.push(encode({ flags: 0, ...parts }));
        }
        const sent = frame(items.length === 1 ? items[0]! : merged(items));
        frames.push(sent);
        bytes += sent.length;
      }
      if (!(await this.ws.write(Buffer.concat(frames)))) return false;
    }
    return true;
  }
}

/** A victim and an honest peer of it, each a process of its own, and names under which attackers are let in. */
export class Siege {
  private attackers: RawWebSocket[] = [];
  private readonly memory: ProcessMemory;
  private before = 0;

  private constructor(
    readonly origin: string,
    readonly names: readonly string[],
    readonly victim: Stronghold,
    private readonly honest: GridProcess,
  ) {
    this.memory = new ProcessMemory(victim.pid);
  }

  /** Of the manager alone; the honest peer calls from the start. */
  static async lay(options: Pick<GridProcessOptions, 'limits' | 'intervals'> = {}): Promise<Siege> {
    const siege = await Siege.around((host) => ManagerHold.raise({ ...host, ...options }));
    await siege.begin();
    return siege;
  }

  /** Nobody calls before `begin`. */
  static async around(raise: (host: GridProcessOptions) => Promise<Stronghold>): Promise<Siege> {
    const origin = await freeHost();
    const friend = await freeHost();
    const names = dialersOf(origin, 40);
    const victim = await raise({ local: origin, hosts: [origin, friend, ...names] });
    const { token, route } = victim;
    const honest = await GridProcess.start({ local: friend, hosts: [origin, friend], token, route });
    const siege = new Siege(origin, names, victim, honest);
    try {
      await honest.tell('connect', origin);
      return siege;
    } catch (error) {
      await siege.end();
      throw error;
    }
  }

  get calls(): Calls {
    return this.victim.calls;
  }

  /** An attack begins: memory is measured from now on, and the honest peer calls. */
  async begin(): Promise<void> {
    this.before = this.memory.mark();
    await this.honest.tell('load', this.origin);
  }

  /** A WebSocket without a Connect. */
  async open(options: Partial<OpenOptions> = {}): Promise<RawWebSocket> {
    const { route, token } = this.victim;
    const ws = await RawWebSocket.open(this.origin, {
      route,
      ...options,
      headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), ...options.headers },
    });
    this.attackers.push(ws);
    return ws;
  }

  /** A connection that was let in. */
  async attacker(name = this.names[0]!): Promise<Attacker> {
    return letIn(await this.open(), name, { token: this.victim.token });
  }

  /** Of a victim that is a manager alone. */
  facts(): Promise<Facts> {
    return (this.victim as ManagerHold).facts();
  }

  /** Memory of the victim in bytes. */
  rss(): number {
    return this.memory.rss();
  }

  /** How the victim stands with one of the names. */
  async peer(name: string): Promise<Facts['peers'][number]> {
    const { peers } = await this.victim.facts();
    return peers.find(({ host }) => host === name)!;
  }

  /** Waits until the calls of that name are over. */
  async quiet(name: string): Promise<void> {
    await until(async () => (await this.peer(name)).handlers === 0, 'handlers are left', 20_000);
  }

  /** Waits until the victim tells something of itself. */
  async until(wanted: (facts: Facts) => boolean, what: string): Promise<Facts> {
    let last: Facts | undefined;
    return until(
      async () => {
        last = await this.facts();
        return wanted(last) && last;
      },
      () => `${what}: ${JSON.stringify({ ...last, peers: last?.peers.slice(0, 3) })}`,
      20_000,
    );
  }

  /**
   * The attack is over: prints what it cost, and fails where a call of the honest peer did not come back or the
   * victim's memory grew by more than that.
   */
  async lift(attack: string, mostBytes: number): Promise<void> {
    const load = await this.honest.tell('unload');
    const [peak, after] = [this.memory.peak(), this.memory.rss()];
    const grown = peak - this.before;
    const mb = (bytes: number): string => (bytes / MB).toFixed(0);
    const ms = (value: number): string => `${value.toFixed(1)} ms`;
    process.stdout.write(
      `attack: ${attack}: RSS ${mb(this.before)}, at most ${mb(peak)}, then ${mb(after)} MB; ` +
        `${load.calls} calls of another peer, p50 ${ms(load.p50)}, p99 ${ms(load.p99)}, longest ${ms(load.longest)}\n`,
    );
    expect(load.failures).toEqual([]);
    expect(load.calls).toBeGreaterThan(0);
    expect(load.longest).toBeLessThan(HANG_MS);
    expect(grown).toBeLessThan(mostBytes);
  }

  async end(): Promise<void> {
    for (const ws of this.attackers.splice(0)) ws.destroy();
    // the honest one first: it would log the end of the other
    await this.honest.end();
    await this.victim.end();
  }
}

export interface LetInOptions {
  token?: string;
  /** Extensions that are offered; default all. */
  extensions?: readonly string[] | undefined;
}

/** Has a WebSocket let in under a name. */
export async function letIn(ws: RawWebSocket, name: string, options: LetInOptions = {}): Promise<Attacker> {
  const attacker = new Attacker(ws);
  const { token = '', extensions = EXTENSIONS } = options;
  const payload = connectRequest({ id: randomBytes(16), host: name, token, more: offer(extensions, 64 * MB) });
  await attacker.send({ op: op.Connect, payload });
  await until(async () => attacker.count(op.ConnectResponse) > 0 || ws.ended, 'no answer to Connect', 20_000);
  const answer = attacker.firstOf(op.ConnectResponse);
  if (!answer || body(answer.payload)['Accepted'] !== true) throw new Error('the attacker was not let in');
  return attacker;
}

/** The victim's goodbye. */
export async function closeOf(ws: RawWebSocket): Promise<[number, string]> {
  const closing = await within(ws.closed, 'the victim does not close', 15_000);
  return [closing?.code ?? 1006, closing?.reason ?? ''];
}
