import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GridManager } from '../../lib/manager/index.js';
import { verifyOptions } from '../../lib/manager/verify-options.js';
import { metadataSize } from '../../lib/wire/index.js';
import { allConnected, Neighbourhood, SECRET } from './neighbourhood.js';
import { rejectionOf, thrownBy } from './refusal.js';

const SMALL = 100;

/** Encodes to exactly so many bytes. */
function sized(bytes: number): { k: string } {
  const empty = metadataSize({ k: 'v'.repeat(bytes) }) - bytes;
  const metadata = { k: 'v'.repeat(bytes - empty) };
  // a shorter string may have a shorter header
  while (metadataSize(metadata) < bytes) metadata.k += 'v';
  expect(metadataSize(metadata)).toBe(bytes);
  return metadata;
}

let hood: Neighbourhood;
let small: GridManager;
let large: GridManager;
let ran: string[];

beforeEach(async () => {
  hood = await Neighbourhood.build(2);
  ran = [];
  small = hood.houses[0]!.grid({ limits: { metadataBytes: SMALL } });
  large = hood.houses[1]!.grid();
  for (const grid of [small, large]) {
    grid.handle(60, { kind: 'request' }, () => {
      ran.push(grid.local);
    });
    grid.handle(61, { kind: 'stream' }, async function* () {
      ran.push(grid.local);
      yield 1;
    });
    void grid.start();
  }
  await allConnected(small, large);
});

afterEach(() => hood.close());

/** Both kinds of a call. */
const kinds: [string, (from: GridManager, to: GridManager, bytes: number) => Promise<unknown>][] = [
  ['a request', (from, to, bytes) => from.peer(to.local).request(60, undefined, { metadata: sized(bytes) })],
  [
    'a stream',
    async (from, to, bytes) => {
      const items: unknown[] = [];
      for await (const item of from.peer(to.local).stream(61, undefined, { metadata: sized(bytes) })) items.push(item);
      return items;
    },
  ],
];

describe.each(kinds)('limits.metadataBytes and %s', (_, call) => {
  it.each([SMALL - 1, SMALL])('of %i bytes goes', async (bytes) => {
    await call(small, large, bytes);
    await call(large, small, bytes);
    expect(ran).toEqual([large.local, small.local]);
  });

  it.each([SMALL + 1, 8_000, 100_000])('of %i bytes fails where it is made: INVALID_ARGUMENT', async (bytes) => {
    const error = await rejectionOf(call(small, large, bytes));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'limit', notSent: true });
    expect(error.message).toBe(
      `metadata of ${bytes} bytes is over the ${SMALL} bytes that a message may carry (limits.metadataBytes)`,
    );
    expect(ran).toEqual([]);
    await call(small, large, SMALL);
  });

  it.each([SMALL + 1, 8_192])('of %i bytes is refused where it arrives: RESOURCE_EXHAUSTED', async (bytes) => {
    const error = await rejectionOf(call(large, small, bytes));
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', remote: true, notSent: true });
    expect(error.message).toContain(`metadata of ${bytes} bytes is over the ${SMALL} bytes`);
    expect(ran).toEqual([]);
    // the connection is well
    await call(large, small, SMALL);
    expect(large.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
  });

  it.each([8_192, 8_193, 1_000_000])('by default goes up to 8,192 bytes: %i', async (bytes) => {
    const outcome = await call(large, large, bytes).then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
    expect(outcome).toBe(bytes <= 8_192 ? 'done' : 'INVALID_ARGUMENT');
  });
});

describe('limits.metadataBytes', () => {
  it('leaves a trace out that does not fit, and makes the call', async () => {
    const traceContext = { traceparent: 't'.repeat(60), tracestate: 's'.repeat(60) };
    await small.peer(large.local).request(60, undefined, { traceContext });
    expect(ran).toEqual([large.local]);
  });

  it('is for calls: errors come back whole', async () => {
    large.handle(62, { kind: 'request' }, () => {
      throw new Error('x'.repeat(1_000));
    });
    const error = await rejectionOf(small.peer(large.local).request(62));
    expect(error.message).not.toContain('metadata');
  });

  it.each([0, -1, 8_193, 1.5, '100'])('cannot be %j', (metadataBytes) => {
    const base = { local: 'http://a:1', hosts: ['http://a:1'], auth: { secret: SECRET } };
    const error = thrownBy(() => verifyOptions({ ...base, limits: { metadataBytes: metadataBytes as number } }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(/^limits\.metadataBytes is .*; it must be a whole number from 1 to/);
  });
});
