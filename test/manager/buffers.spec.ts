import { afterEach, describe, expect, it } from '@jest/globals';
import { bytes, type CallContext } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { collectGarbage } from '../garbage.js';
import { MB, volume } from '../scale.js';
import { turn } from '../turn.js';
import { couple, nothingLeft, type Couple } from './couple.js';
import { rejectionOf } from './refusal.js';

/** What becomes of bytes in slabs and frames that are used again: over real sockets, both ends in one process. */

const CODEC = { codec: bytes() };

let two: Couple;
afterEach(() => two.hood.close());

/** Bytes of buffers that are still in use. */
async function buffersAfterGc(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await turn();
  }
  return process.memoryUsage().arrayBuffers;
}

async function collect(items: AsyncIterable<unknown>): Promise<string[]> {
  const all: string[] = [];
  for await (const item of items) all.push(Buffer.from(item as Uint8Array).toString());
  return all;
}

describe('one message and the next', () => {
  it('B18 1,000 streams that end each with a text of their own, while 1,000 others churn buffers', async () => {
    two = await couple((grid) => {
      grid.handle(66, { kind: 'stream', ...CODEC }, (payload: Uint8Array) => {
        throw new GridError('ABORTED', `error of ${Buffer.from(payload).toString()}: ${'é'.repeat(payload.length)}`);
      });
      grid.handle(65, { kind: 'stream', outCapacity: 2, ...CODEC }, async function* (payload: Uint8Array) {
        for (let i = 0; i < 10; i++) yield payload;
      });
    });
    const peer = two.dialer.peer(two.acceptor.local);
    const failing: Promise<GridError>[] = [];
    const churning: Promise<string[]>[] = [];
    for (let i = 0; i < 1_000; i++) {
      failing.push(rejectionOf(peer.stream(66, Buffer.from(`${i}`), CODEC).done));
      churning.push(collect(peer.stream(65, Buffer.from(`${i} `.repeat(100)), CODEC)));
    }
    const texts = (await Promise.all(failing)).map(({ code, message }) => [code, message]);
    expect(texts).toEqual(texts.map((_, i) => ['ABORTED', `error of ${i}: ${'é'.repeat(`${i}`.length)}`]));
    for (const [i, items] of (await Promise.all(churning)).entries()) {
      expect(items).toEqual(Array.from({ length: 10 }, () => `${i} `.repeat(100)));
    }
    await nothingLeft(two.dialer, two.acceptor);
  }, 180_000);

  it('B19 a call with every field, then one with none: nothing of the first is seen in the second', async () => {
    const seen: unknown[] = [];
    two = await couple((grid) => {
      const look = (payload: unknown, context: CallContext): void => {
        const { subroute, deadline } = context;
        const far = deadline !== undefined && deadline.getTime() > Date.now() + 120_000;
        seen.push([payload, subroute, far, { ...context.getMetadata() }]);
      };
      grid.handle(60, { kind: 'both', subroute: 'disk1' }, look);
      grid.handle(60, { kind: 'both' }, look);
    });
    const peer = two.dialer.peer(two.acceptor.local);
    for (let round = 0; round < 3; round++) {
      await peer.subroute('disk1').request(60, 'all', { timeoutMs: 3_600_000, metadata: { user: 'ann' } });
      await peer.request(60);
      await peer.subroute('disk1').stream(60, 'all', { timeoutMs: 3_600_000, metadata: { user: 'ann' } }).done;
      await peer.stream(60).done;
    }
    const all = ['all', 'disk1', true, { user: 'ann' }];
    const none = [undefined, undefined, false, {}];
    expect(seen).toEqual(Array.from({ length: 6 }, () => [all, none]).flat());
  });

  it('B19 one buffer written again and again with other content: each content arrives', async () => {
    two = await couple((grid) => {
      const spec = { kind: 'stream', inCapacity: 100, outCapacity: 1, ...CODEC } as const;
      grid.handle(65, spec, async function* (_: unknown, { input }: CallContext) {
        for await (const item of input) yield item;
      });
      grid.handle(60, { kind: 'request', ...CODEC }, (payload) => payload);
    });
    const peer = two.dialer.peer(two.acceptor.local);
    const buffer = Buffer.alloc(6);
    const contents = Array.from({ length: 50 }, (_, i) => `no. ${i}`.padEnd(6));
    const call = peer.stream<Uint8Array, Uint8Array>(65, undefined, { inCapacity: 100, ...CODEC });
    const echoed = collect(call);
    const requests: Promise<unknown>[] = [];
    for (const content of contents) {
      buffer.write(content);
      // a write is over when it is sent, a request when request() returns
      await call.write(buffer);
      requests.push(peer.request(60, buffer, CODEC));
      buffer.fill(0);
    }
    call.end();
    expect(await echoed).toEqual(contents);
    const answers = (await Promise.all(requests)) as Uint8Array[];
    expect(answers.map((answer) => Buffer.from(answer).toString())).toEqual(contents);
  });

  it('B20 one cached answer, given to 1,000 callers at once that spoil theirs, stays what it is', async () => {
    const cached = Buffer.from('cached '.repeat(50));
    const content = cached.toString();
    two = await couple((grid) => {
      grid.handle(60, { kind: 'request', ...CODEC }, () => cached);
      grid.handle(61, { kind: 'request', ...CODEC }, (payload) => payload);
    });
    const peer = two.dialer.peer(two.acceptor.local);
    await Promise.all(
      Array.from({ length: 1_000 }, async () => {
        const answer = (await peer.request(60, undefined, CODEC)) as Uint8Array;
        expect(Buffer.from(answer).toString()).toBe(content);
        answer.fill(0);
      }),
    );
    expect(cached.toString()).toBe(content);
  });
});

describe('buffers that grew', () => {
  const echo = async (size: number): Promise<void> => {
    const peer = two.dialer.peer(two.acceptor.local);
    const answer = (await peer.request(60, Buffer.alloc(size), CODEC)) as Uint8Array;
    expect(answer.length).toBe(size);
  };
  const open = async (messageBytes: number): Promise<void> => {
    const limits = { messageBytes, frameBytes: messageBytes + 64 * 1_024, queuedBytes: 4 * messageBytes };
    two = await couple((grid) => grid.handle(60, { kind: 'request', ...CODEC }, (payload) => payload), { limits });
    for (let i = 0; i < 50; i++) await echo(1_024);
  };

  it('B20 for one message of 64 MiB are let go: at most 256 KiB for each end of the connection stay', async () => {
    await open(64 * MB);
    const before = await buffersAfterGc();
    await echo(64 * MB);
    for (let i = 0; i < 50; i++) await echo(1_024);
    expect((await buffersAfterGc()) - before).toBeLessThan(2 * 256 * 1_024);
  }, 180_000);

  it('B38 for large messages in turn with small ones do not stay, nor do those of steady traffic', async () => {
    await open(16 * MB);
    const before = await buffersAfterGc();
    for (let i = 0; i < volume(2, 100); i++) {
      await echo(16 * MB);
      await echo(1_024);
    }
    expect((await buffersAfterGc()) - before).toBeLessThan(2 * 256 * 1_024);
    for (let i = 0; i < volume(500, 50_000); i++) await echo(4_096);
    expect((await buffersAfterGc()) - before).toBeLessThan(2 * 256 * 1_024);
  }, 300_000);
});
