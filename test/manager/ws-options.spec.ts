import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocketServer } from 'ws';
import { wsSocket } from '../../lib/connection/index.js';
import { WS_OPTIONS } from '../../lib/manager/ws-options.js';
import { until } from '../until.js';

const MAX_BYTES = 64 * 1_024;

/** More than are kept. */
const PIECES = 40_000;

/** The header of a masked frame of `PIECES` bytes. */
const header = (first: number): Buffer => Buffer.from([first, 0xfe, PIECES >> 8, PIECES & 0xff, 0, 0, 0, 0]);

let stream: Duplex;
let events: unknown[][];

beforeEach(() => {
  stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  events = [];
});
afterEach(() => void stream.destroy());

/** A socket of the grid over a stream each of whose pieces arrives as it was pushed. */
function open(pastWs: boolean): void {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES, ...WS_OPTIONS });
  const headers = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  };
  const request = { method: 'GET', url: '/', headers } as unknown as IncomingMessage;
  server.handleUpgrade(request, stream, Buffer.alloc(0), (ws) =>
    wsSocket(ws, undefined, pastWs ? { stream, masks: false, maxBytes: MAX_BYTES } : undefined).listen({
      onFrame: ({ length }) => events.push(['frame', length]),
      onViolation: (code, text) => events.push(['violation', code, text]),
      onClose: () => {},
    }),
  );
}

async function drip(first: number): Promise<void> {
  stream.push(header(first));
  for (let sent = 0; sent < PIECES && events.length === 0; sent++) {
    stream.push(Buffer.from([1]));
    await until(() => stream.readableLength === 0);
  }
  await until(() => events.length > 0);
}

describe('a message that comes byte by byte', () => {
  it.each([
    ['as a fragment', true, 0x02],
    ['where `ws` reads it', false, 0x82],
  ])('%s, is refused: its pieces are kept', async (_, pastWs, first) => {
    open(pastWs);
    await drip(first);
    expect(events).toEqual([['violation', 1008, 'Too many buffered chunks']]);
  });

  it('past `ws`, is taken: they are not', async () => {
    open(true);
    await drip(0x82);
    expect(events).toEqual([['frame', PIECES]]);
  });
});
