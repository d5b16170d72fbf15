// Frames that no peer would send, on a real connection: mutations, truncations and splits of a recorded session.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { handled } from '../../lib/errors/index.js';
import { dialersOf } from '../conformance/conformance-node.js';
import { until, within } from '../conformance/hang-budget.js';
import { offer } from '../conformance/raw-peer.js';
import {
  connectRequest,
  encode,
  EOF,
  ERR,
  MANY,
  merged,
  METADATA,
  op,
  STATELESS,
  SUBROUTE,
  ZERO,
  type MessageParts,
} from '../conformance/raw-codec.js';
import { seeded } from '../random.js';
import { MB, volume } from '../scale.js';
import { frame, frameHead } from './raw-websocket.js';
import { Siege, type Attacker } from './siege.js';
import { MANAGER_CALLS, ManagerHold } from './stronghold.js';

const EXTENSIONS = ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain'];

/** Memory in bytes. */
interface FuzzReport {
  connections: number;
  longestMs: number;
  /** How often by close code; `stood`: the connection was open after its last frame. */
  closes: Record<string, number>;
  /** Of connections whose frames are known: how each ended, and whether more than its hello was answered. */
  ends: Record<string, { ends: string[]; served: boolean }>;
  peer: { state: string; running: number; incoming: number };
  before: number;
  peak: number;
  after: number;
  /** Of live objects, from the first tenth of the frames to the end. */
  heapGrown: number;
}

let siege: Siege | undefined;
beforeAll(async () => {
  siege = await Siege.around((host) => ManagerHold.raise({ ...host, limits: { refusedPerMinute: 1_000_000 } }));
}, 60_000);
afterAll(() => siege?.end());

/** Frames of a session that uses each op and flag, without CRC: what is altered is read all the same. */
function session(): Buffer[] {
  const single = messages().map((each) => encode({ flags: 0, ...each }));
  return [...single, merged(single.slice(0, 4)), merged([...single.slice(4), merged(single.slice(0, 2))])];
}

/** Messages whose fields are of any value, well-formed otherwise. */
function oddMessages(count: number, random: () => number): Buffer[] {
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const small = [0, 1, 2, 3, 5, 6, 7, 8, 9];
  const edges = [127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1];
  const plain = messages();
  return Array.from({ length: count }, () => {
    const parts = { ...oneOf(plain) };
    if (random() < 0.7) parts.muxId = BigInt(oneOf([...small.slice(1), ...edges, 2 ** 53]));
    if (random() < 0.5) parts.seq = oneOf([...small, ...edges]);
    if (random() < 0.3) parts.op = oneOf([...Object.values(op).slice(3, 15), 3, 3]);
    if (random() < 0.3) parts.handler = oneOf([0, 60, 61, 63, 64, 65, 255]);
    if (random() < 0.3) parts.flags = oneOf([0, EOF, ERR, EOF | ERR, ZERO, MANY, STATELESS, EOF | MANY]);
    if (random() < 0.3) parts.deadlineMs = oneOf([0, 1, 2 ** 32 - 1]);
    return encode({ flags: 0, ...parts });
  });
}

function messages(): MessageParts[] {
  const { echo, slow, mute, deaf, endless } = MANAGER_CALLS;
  const metadata = Buffer.from('82a161a162a163a164', 'hex');
  return [
    { ...echo, muxId: 1, payload: 'hello' },
    { ...echo, muxId: 300, payload: Buffer.alloc(300) },
    { ...echo, muxId: 70_000, flags: EOF | METADATA, metadata, payload: 'x' },
    { ...echo, muxId: 5, flags: EOF | SUBROUTE, subroute: Buffer.alloc(32, 3) },
    { ...slow, muxId: 6 },
    { op: op.DisconnectServerMux, muxId: 6 },
    { ...mute, muxId: 7 },
    { op: op.Ping, muxId: 7, seq: 1 },
    { op: op.UnblockSrvMux, muxId: 7, seq: 2 },
    { ...deaf, muxId: 8 },
    { op: op.MuxClientMsg, muxId: 8, seq: 1, payload: 'input' },
    { op: op.MuxClientMsg, muxId: 8, seq: 2, flags: EOF },
    { ...endless, muxId: 9 },
    { op: op.DisconnectServerMux, muxId: 9 },
    { op: op.Response, muxId: 10, flags: EOF, payload: 'late' },
    { op: op.AckMux, muxId: 11, payload: Buffer.from('82a26901a16f02', 'hex') },
    { op: op.MuxServerMsg, muxId: 11, seq: 1, payload: 'late' },
    { op: op.Pong, muxId: 0, payload: Buffer.from('83a26e66c2a165c0a174c70c05000000000000000000000000', 'hex') },
    { op: op.MuxConnectError, muxId: 12, payload: Buffer.from('81a54572726f72a178', 'hex') },
    { op: op.DisconnectClientMux, muxId: 12 },
    { op: op.UnblockClMux, muxId: 12, seq: 1 },
  ];
}

function hello(host: string): Buffer {
  const payload = connectRequest({ id: Buffer.alloc(16, 1), host, token: '', more: offer(EXTENSIONS, 64 * MB) });
  return encode({ op: op.Connect, flags: 0, payload });
}

/** For each way in which a connection may end: its frames, how it ends, and whether more than its hello is answered. */
function plainConnections(name: string): [what: string, frames: Buffer[], end: string, served: boolean][] {
  const echo = encode({ ...MANAGER_CALLS.echo, muxId: 1, flags: 0, payload: 'hello' });
  const pings = Array.from({ length: 101 }, () => encode({ op: op.Ping, flags: 0, payload: Buffer.alloc(0) }));
  const large = encode({ ...MANAGER_CALLS.echo, muxId: 1, flags: 0, payload: Buffer.alloc(64 * 1_024 + 1) });
  return [
    ['an echo', [hello(name), echo], 'stood', true],
    ['an unknown op', [hello(name), encode({ op: 99, muxId: 1, flags: 0 })], '1002', false],
    ['a Merged that is cut', [hello(name), merged([echo, echo]).subarray(0, -1)], '1002', false],
    ['another host', [hello('http://nobody.test:9000')], '1008', false],
    ['pings past pingsPerSecond', [hello(name), ...pings], '1008', true],
    ['a payload past messageBytes', [hello(name), large], '1009', false],
  ];
}

/** Sends frames, on a new connection each time the last one had enough; how often that was. */
async function fire(frames: Iterable<Buffer>, perConnection: number): Promise<number> {
  let attacker: Attacker | undefined;
  let connections = 0;
  let batch: Buffer[] = [];
  const flush = async (): Promise<void> => {
    if (!attacker || attacker.ws.ended) {
      attacker?.ws.destroy();
      attacker = await siege!.attacker(siege!.names[connections++ % 30]);
      // its answers are not the point
      attacker.ws.onFrame = () => {};
    }
    await attacker.ws.write(Buffer.concat(batch));
    batch = [];
  };
  for (const each of frames) {
    batch.push(frame(each));
    if (batch.length >= perConnection) await flush();
  }
  await flush();
  attacker?.ws.destroy();
  return connections;
}

async function over(what: string, frames: Iterable<Buffer>, perConnection: number, most: number): Promise<void> {
  await siege!.begin();
  const connections = await fire(frames, perConnection);
  expect(connections).toBeGreaterThan(0);
  for (const name of siege!.names.slice(0, 30)) await siege!.quiet(name);
  expect(siege!.victim.alive).toBe(true);
  const { lines } = await siege!.facts();
  // what it could not foresee it would log as a fault of its own
  expect(lines.filter((line) => /INTERNAL|TypeError|RangeError|Cannot read/.test(line))).toEqual([]);
  await siege!.lift(`${what}, ${connections} connections`, most * MB);
}

it('mutated frames end their connection or are served, whatever they say', async () => {
  const seed = Number(process.env['GRID_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
  process.stdout.write(`fuzz: GRID_FUZZ_SEED=${seed}\n`);
  const local = 'http://victim.test:9000';
  const [name] = dialersOf(local, 1) as [string];
  const count = volume(50_000, 2_000_000);
  const connect = hello(name);
  const hex = (frames: Buffer[]): string[] => frames.map((each) => each.toString('hex'));
  const plain = plainConnections(name);
  const known = Object.fromEntries(plain.map(([what, frames]) => [what, hex(frames)]));
  const expected = Object.fromEntries(plain.map(([what, , end, served]) => [what, { ends: [end], served }]));
  const odd = hex(oddMessages(5_000, seeded(seed)));
  const order = { local, name, seed, count, connect: connect.toString('hex'), session: hex(session()), odd, known };

  const { NODE_OPTIONS: _jestOnly, ...env } = process.env;
  // newer versions of Node let the youngest objects take several times as much before they look which are garbage
  const execArgv = ['--max-semi-space-size=16'];
  const child = fork(join(import.meta.dirname, 'fuzz-main.js'), { execArgv, env });
  try {
    await within(once(child, 'message'), 'the process is not ready', 20_000);
    child.send(order);
    const died = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`it ended with ${String(code ?? signal)}`);
    });
    // once the report is there nobody waits for it any more: SIGKILL below
    void handled(died);
    const [told] = (await Promise.race([once(child, 'message'), died])) as [FuzzReport];
    const { connections, longestMs, closes, ends, before, peak, after, heapGrown } = told;
    const mb = (bytes: number): string => (bytes / MB).toFixed(0);
    process.stdout.write(
      `fuzz: ${count} mutated frames on ${connections} connections: RSS ${mb(before)}, at most ${mb(peak)}, then ` +
        `${mb(after)} MB, objects ${heapGrown > 0 ? '+' : ''}${mb(heapGrown)} MB; longest frame ` +
        `${longestMs.toFixed(0)} ms; closed ${JSON.stringify(closes)}\n`,
    );
    // at any seed: each ended once, and by nothing else; 1011 would be a fault of ours, 1006 a socket that we gave up
    expect(Object.values(closes).reduce((sum, each) => sum + each)).toBe(connections);
    expect(['stood', '1002', '1008', '1009']).toEqual(expect.arrayContaining(Object.keys(closes)));
    expect(closes['1002']).toBeGreaterThan(0);
    expect(ends).toEqual(expected);
    expect(told.peer).toMatchObject({ running: 0, incoming: 0 });
    expect(longestMs).toBeLessThan(10_000);
    // pages are given back when the system likes, objects when they are garbage
    expect(heapGrown).toBeLessThan(5 * MB);
    expect(peak - before).toBeLessThan(80 * MB);
  } finally {
    child.kill('SIGKILL');
  }
}, 900_000);

it('each message cut at each byte', async () => {
  const frames = session().flatMap((message) => Array.from(message, (_, at) => message.subarray(0, at)));
  await over(`${frames.length} truncated frames`, frames, 1, 100);
}, 120_000);

it('each message cut into two fragments and two segments at each byte is read as if it came whole', async () => {
  await siege!.begin();
  const attacker = await siege!.attacker(siege!.names[31]);
  const echo = { ...siege!.calls.echo, payload: Buffer.alloc(40, 5) };
  const { length } = encode({ ...echo, muxId: 1_000 });
  for (let at = 1; at < length; at++) {
    const message = encode({ ...echo, muxId: 1_000 + at });
    const first = Buffer.concat([frameHead(at, { fin: false }), message.subarray(0, at)]);
    const second = Buffer.concat([frameHead(message.length - at, { opcode: 0 }), message.subarray(at)]);
    await attacker.ws.write(first);
    await attacker.ws.write(second);
    const whole = frame(encode({ ...echo, muxId: 5_000 + at }));
    await attacker.ws.write(whole.subarray(0, at));
    await attacker.ws.write(whole.subarray(at));
  }
  await until(async () => attacker.count(op.Response) === 2 * (length - 1), 'not all are answered', 20_000);
  attacker.ws.destroy();
  await siege!.lift('split messages', 60 * MB);
}, 120_000);
