// Who gets into the conformance node, as its users start it: a token of its own, shown in the upgrade and in Connect.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConformanceNode, dialersOf } from '../conformance/conformance-node.js';
import { connectRequest, encode, EOF, op } from '../conformance/raw-codec.js';
import { RawPeer, ROUTE, UpgradeRefused, type DialOptions } from '../conformance/raw-peer.js';
import { body } from '../conformance/raw-msgpack.js';
import { freeHost } from '../ports.js';

/** Nobody can guess it, and no log holds it by chance. */
const TOKEN = randomBytes(24).toString('base64url');

let node: ConformanceNode;
let host: string;
const peers: RawPeer[] = [];

beforeAll(async () => {
  const local = await freeHost();
  const hosts = dialersOf(local, 1);
  host = hosts[0]!;
  node = await ConformanceNode.start({ local, hosts, env: { GRID_TOKEN: TOKEN } });
}, 60_000);

afterEach(() => {
  for (const { socket } of peers.splice(0)) socket.terminate();
});

afterAll(async () => {
  await node.stop();
});

async function refusal(options: Partial<DialOptions>): Promise<{ status: number; body: string }> {
  try {
    peers.push(await RawPeer.open(node.local, { host, ...options }));
  } catch (error) {
    if (error instanceof UpgradeRefused) return { status: error.status, body: error.body };
    throw error;
  }
  throw new Error('the upgrade was not refused');
}

/** The answer to Connect, and whether a call is served after it. */
async function connected(token: string): Promise<{ accepted: boolean; reason: string; frames: number }> {
  const peer = await RawPeer.open(node.local, { host, headerToken: TOKEN });
  peers.push(peer);
  const payload = connectRequest({ id: randomBytes(16), host, token });
  const answered = new Promise<Buffer>((resolve) => peer.socket.once('message', (data: Buffer) => resolve(data)));
  peer.sendFrame(encode({ op: op.Connect, flags: 0, payload }));
  // in the same breath: what is not let in must not be served
  peer.sendFrame(encode({ op: op.Request, muxId: 1, handler: 60, deadlineMs: 5_000, flags: EOF, payload: 'x' }));
  await answered;
  const hello = body(peer.inbox.find((message) => message.op === op.ConnectResponse)!.payload);
  if (hello['Accepted'] !== true) await peer.closed;
  return { accepted: hello['Accepted'] === true, reason: String(hello['RejectedReason']), frames: peer.frames.length };
}

const WRONG: [string, string][] = [
  ['another one', 'debug'],
  ['its beginning', TOKEN.slice(0, -1)],
  ['more than it', `${TOKEN}x`],
  ['another case', TOKEN.toUpperCase()],
  ['one letter changed', `${TOKEN.slice(0, 5)}${TOKEN[5] === 'A' ? 'B' : 'A'}${TOKEN.slice(6)}`],
  ['a long one', 'x'.repeat(8_000)],
];

describe('the upgrade is refused', () => {
  it.each(WRONG)('with 401 for %s', async (_, token) => {
    const { status, body: text } = await refusal({ headerToken: token });
    expect([status, text]).toEqual([401, 'the token is not valid: it is not the shared token']);
  });

  it('with 401 without a token, whatever stands in the address or in another header', async () => {
    const places: Partial<DialOptions>[] = [
      {},
      { route: `${ROUTE}?token=${TOKEN}` },
      { headers: { cookie: `token=${TOKEN}` } },
      { headers: { authorization: `Basic ${TOKEN}` } },
      { headers: { 'sec-websocket-protocol': TOKEN } },
    ];
    for (const place of places) expect((await refusal({ headerToken: null, ...place })).status).toBe(401);
  });

  it('with 403 for a browser, though its token is right', async () => {
    for (const origin of ['https://app.example.com', node.local, 'null']) {
      const { status, body: text } = await refusal({ headerToken: TOKEN, headers: { origin } });
      expect(status).toBe(403);
      expect(text).toContain('is not one of allowedOrigins');
    }
  });
});

describe('Connect is refused, after an upgrade with the right token', () => {
  it.each([...WRONG.slice(0, -1), ['none', '']])('for %s; nothing that came with it is served', async (_, token) => {
    const { accepted, reason, frames } = await connected(token);
    expect([accepted, reason]).toEqual([false, 'the token is not valid: it is not the shared token']);
    expect(frames).toBe(1);
  });
});

it('the right one in both is let in', async () => {
  expect((await connected(TOKEN)).accepted).toBe(true);
});

it('neither its log nor its control tells the token', async () => {
  expect(node.log).toContain('refused a connection from 127.0.0.1');
  const { json } = await node.http('GET', '/state');
  const failed = await node.http('POST', '/call', { host, handler: 60, payload: '' });
  for (const text of [node.log, node.lines.join('\n'), JSON.stringify(json), JSON.stringify(failed.json)]) {
    expect(text.includes(TOKEN)).toBe(false);
  }
});
