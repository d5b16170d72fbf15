import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readInOwnMemory } from '../../lib/connection/read-memory.js';
import { patternBytes } from '../wire/build.js';
import { until } from '../until.js';

describe('a socket that is read into memory of ours', () => {
  let server: Server;
  let far: Socket;
  let near: Socket;
  let pieces: Buffer[];
  const come = (): number => pieces.reduce((sum, { length }) => sum + length, 0);
  const take = (piece: Buffer): boolean => {
    pieces.push(piece);
    return true;
  };
  /** Sends so many bytes and waits for them. */
  const send = async (bytes: Uint8Array): Promise<void> => {
    const before = come();
    far.write(bytes);
    await until(() => come() === before + bytes.length);
  };

  beforeEach(async () => {
    pieces = [];
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    far = connect((server.address() as AddressInfo).port, '127.0.0.1');
    far.setNoDelay();
    [near] = (await once(server, 'connection')) as [Socket];
    near.on('error', () => undefined);
  });
  afterEach(async () => {
    far.destroy();
    near.destroy();
    server.close();
    await once(server, 'close');
  });

  it('gives all that comes, and never writes to it again', async () => {
    let inStream = 0;
    near.on('data', () => inStream++);
    expect(readInOwnMemory(near, take)).toBe(true);
    const sent: Uint8Array[] = [];
    for (const bytes of [1, 4_095, 4_096, 4_097, 300_000, 10, 70_000, 1_500, 3_000_000]) {
      sent.push(patternBytes(bytes));
      await send(sent.at(-1)!);
    }
    expect(Buffer.concat(pieces).equals(Buffer.concat(sent))).toBe(true);
    expect(inStream).toBe(0);
  });

  it('takes little memory where little comes, 64 KiB while much comes', async () => {
    expect(readInOwnMemory(near.resume(), take)).toBe(true);
    const memory = (): number => pieces.at(-1)!.buffer.byteLength;
    await send(patternBytes(100));
    const first = pieces[0]!.buffer;
    await send(patternBytes(200));
    expect([memory(), pieces[1]!.buffer === first]).toEqual([4_096, true]);
    await send(patternBytes(500_000));
    expect(memory()).toBe(65_536);
    for (let sent = 0; sent < 150; sent++) await send(patternBytes(500));
    expect(memory()).toBe(4_096);
  });

  it('stops reading where nothing more is taken, until the stream asks for it', async () => {
    const stop = (piece: Buffer): boolean => {
      pieces.push(piece);
      return false;
    };
    expect(readInOwnMemory(near.resume(), stop)).toBe(true);
    await send(patternBytes(10));
    far.write(patternBytes(20));
    far.end();
    await once(far, 'finish');
    expect(come()).toBe(10);
    near.read(0);
    await until(() => come() === 30);
  });

  it('lets nobody send its memory to another thread, where the socket would go on writing', async () => {
    expect(readInOwnMemory(near.resume(), take)).toBe(true);
    await send(patternBytes(10));
    const memory = pieces[0]!.buffer as ArrayBuffer;
    try {
      structuredClone(memory, { transfer: [memory] });
    } catch (refusal) {
      // Node 20 copies it in silence
      expect((refusal as Error).name).toBe('DataCloneError');
    }
    await send(patternBytes(20));
    expect(Buffer.concat(pieces).equals(Buffer.concat([patternBytes(10), patternBytes(20)]))).toBe(true);
  });

  it('a taker that throws is an uncaught exception, and what it was given stays as it is', async () => {
    const later: (() => void)[] = [];
    const microtasks = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => void later.push(run));
    try {
      readInOwnMemory(near.resume(), (piece) => {
        pieces.push(piece);
        throw new Error(`piece ${pieces.length}`);
      });
      await send(patternBytes(10));
      await send(patternBytes(300));
    } finally {
      microtasks.mockRestore();
    }
    expect(later).toHaveLength(2);
    later.forEach((run, index) => expect(run).toThrow(`piece ${index + 1}`));
    expect(Buffer.concat(pieces).equals(Buffer.concat([patternBytes(10), patternBytes(300)]))).toBe(true);
  });

  it('tells the end as before', async () => {
    readInOwnMemory(near.resume(), take);
    const ended = once(near, 'end');
    far.end(patternBytes(5));
    await ended;
    expect(come()).toBe(5);
  });

  it('a socket that has closed is left alone', async () => {
    near.destroy();
    await once(near, 'close');
    expect(readInOwnMemory(near, take)).toBe(false);
  });

  it('a stream that is no socket is left alone', () => {
    expect(readInOwnMemory(new PassThrough(), take)).toBe(false);
  });

  it('a socket that was made with onread is left to who made it', async () => {
    const { port } = server.address() as AddressInfo;
    const heard: number[] = [];
    const buffer = Buffer.alloc(100);
    const callback = (bytes: number): boolean => heard.push(bytes) > 0;
    const own = connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
    const [peer] = (await once(server, 'connection')) as [Socket];
    expect(readInOwnMemory(own, take)).toBe(false);
    peer.write('hello');
    await until(() => heard.length > 0);
    expect([heard, come()]).toEqual([[5], 0]);
    own.destroy();
    peer.destroy();
  });
});
