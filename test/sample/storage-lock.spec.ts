import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { handled } from '../../lib/errors/index.js';
import { LockTable, type LockKind } from '../../sample/storage/src/lock/lock-table.js';
import { QuorumLock } from '../../sample/storage/src/lock/quorum-lock.js';
import type { Voter } from '../../sample/storage/src/lock/voter.js';

const TTL = 600;

describe('a lock table', () => {
  let now = 0;
  let table: LockTable;
  beforeEach(() => {
    now = 0;
    table = new LockTable(TTL, () => now);
  });

  it('lets many read or one write', () => {
    expect(table.acquire('read', 'r', '1', 'a')).toEqual({ granted: true });
    expect(table.acquire('read', 'r', '2', 'b')).toEqual({ granted: true });
    expect(table.acquire('write', 'r', '3', 'c')).toEqual({ granted: false, heldBy: 'a' });
    expect(table.release('read', 'r', '1')).toBe(true);
    expect(table.acquire('write', 'r', '3', 'c')).toEqual({ granted: false, heldBy: 'b' });
    expect(table.release('read', 'r', '2')).toBe(true);
    expect(table.acquire('write', 'r', '3', 'c')).toEqual({ granted: true });
    expect(table.acquire('read', 'r', '4', 'a')).toEqual({ granted: false, heldBy: 'c' });
    expect(table.acquire('write', 'other', '4', 'a')).toEqual({ granted: true });
  });

  it('keeps new readers out while a writer waits, for a moment', () => {
    table.acquire('read', 'r', '1', 'a');
    expect(table.acquire('write', 'r', '2', 'b').granted).toBe(false);
    expect(table.acquire('read', 'r', '3', 'c')).toEqual({ granted: false, heldBy: 'b' });
    expect(table.acquire('read', 'r', '1', 'a').granted).toBe(true);
    table.release('read', 'r', '1');
    expect(table.acquire('read', 'r', '3', 'c').granted).toBe(false);
    expect(table.acquire('write', 'r', '2', 'b').granted).toBe(true);
    table.release('write', 'r', '2');
    // the writer was served: the readers' turn, also where the next writer never comes
    expect(table.acquire('read', 'r', '3', 'c').granted).toBe(true);
    expect(table.acquire('write', 'r', '4', 'd').granted).toBe(false);
    now += 300;
    expect(table.acquire('read', 'r', '5', 'e').granted).toBe(true);
  });

  it('counts a repeated question once', () => {
    expect(table.acquire('write', 'r', '1', 'a').granted).toBe(true);
    expect(table.acquire('write', 'r', '1', 'a').granted).toBe(true);
    expect(table.size).toBe(1);
    expect(table.release('write', 'r', '1')).toBe(true);
    expect(table.size).toBe(0);
  });

  it('releases only what is held, as it is held', () => {
    table.acquire('read', 'r', '1', 'a');
    expect(table.release('write', 'r', '1')).toBe(false);
    expect(table.release('read', 'r', '2')).toBe(false);
    expect(table.release('read', 'x', '1')).toBe(false);
    expect(table.size).toBe(1);
  });

  it('keeps a hold as long as it is refreshed, and no longer', () => {
    table.acquire('write', 'r', '1', 'a');
    now = TTL - 1;
    expect(table.refresh('r', '1')).toBe(true);
    now += TTL - 1;
    expect(table.acquire('write', 'r', '2', 'b').granted).toBe(false);
    now += 1;
    expect(table.refresh('r', '1')).toBe(false);
    expect(table.acquire('write', 'r', '2', 'b').granted).toBe(true);
  });

  it('does not vote while a vote of its former life may count', () => {
    const forgetful = new LockTable(TTL, () => now, TTL);
    now = TTL - 1;
    expect(() => forgetful.acquire('read', 'r', '1', 'a')).toThrow('does not vote yet');
    expect(forgetful.refresh('r', '1')).toBe(false);
    now = TTL;
    expect(forgetful.acquire('write', 'r', '1', 'a')).toEqual({ granted: true });
  });

  it('forgets what expired, also where nobody asks', () => {
    table.acquire('write', 'r', '1', 'a');
    table.acquire('read', 's', '2', 'a');
    now = TTL;
    table.sweep();
    expect(table.size).toBe(0);
  });

  it('drops all holds when forced', () => {
    table.acquire('read', 'r', '1', 'a');
    table.acquire('read', 'r', '2', 'b');
    expect(table.forceRelease('r')).toBe(2);
    expect(table.forceRelease('r')).toBe(0);
    expect(table.refresh('r', '1')).toBe(false);
    expect(table.acquire('write', 'r', '3', 'c').granted).toBe(true);
  });
});

/** A voter over a table in memory that can be made unreachable. */
class NearVoter implements Voter {
  down = false;

  constructor(readonly table: LockTable) {}

  private ask<T>(answer: () => T): Promise<T> {
    return this.down ? Promise.reject(new Error('remote disconnected')) : Promise.resolve().then(answer);
  }

  acquire(kind: LockKind, resource: string, uid: string): ReturnType<Voter['acquire']> {
    return this.ask(() => this.table.acquire(kind, resource, uid, 'owner'));
  }

  release(kind: LockKind, resource: string, uid: string): Promise<boolean> {
    return this.ask(() => this.table.release(kind, resource, uid));
  }

  refresh(resource: string, uid: string): Promise<boolean> {
    return this.ask(() => this.table.refresh(resource, uid));
  }

  forceRelease(resource: string): Promise<number> {
    return this.ask(() => this.table.forceRelease(resource));
  }
}

describe('a quorum lock', () => {
  let voters: NearVoter[];
  let lock: QuorumLock;
  const order = [2, 0, 3, 1];
  beforeEach(() => {
    jest.useFakeTimers();
    voters = order.map(() => new NearVoter(new LockTable(TTL, () => Date.now())));
    lock = new QuorumLock(voters, { ttlMs: TTL });
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  /** What a holder does: five milliseconds of jest's clock, and none of ours. */
  const work = (): Promise<void> => jest.advanceTimersByTimeAsync(5);
  /** Lets time run until the promise has settled. */
  async function settled<T>(promise: Promise<T>): Promise<T> {
    let open = true;
    // it is awaited when time has run
    const done = handled(promise.finally(() => (open = false)));
    while (open) await jest.advanceTimersByTimeAsync(1);
    return done;
  }

  it.each([
    [3, 2, 2],
    [4, 3, 2],
    [5, 3, 3],
    [6, 4, 3],
  ])('of %i nodes needs %i to write and %i to read', (nodes, write, read) => {
    const any = new QuorumLock(voters.concat(voters).slice(0, nodes), { ttlMs: TTL });
    expect([any.writeQuorum, any.readQuorum]).toEqual([write, read]);
    expect(write * 2).toBeGreaterThan(nodes);
    expect(write + read).toBeGreaterThan(nodes);
  });

  it('is held by one writer at a time', async () => {
    const first = await settled(lock.acquire('write', 'r', order, 50));
    await expect(settled(lock.acquire('write', 'r', order, 50))).rejects.toThrow(
      'no write lock on r within 50 ms: it is held by owner',
    );
    await expect(settled(lock.acquire('read', 'r', order, 50))).rejects.toThrow('no read lock on r');
    first.release();
    const next = await settled(lock.acquire('write', 'r', order, 50));
    next.release();
    next.release();
    await settled(Promise.resolve());
    expect(voters.map(({ table }) => table.size)).toEqual([0, 0, 0, 0]);
  });

  it('is shared by readers, who keep writers out', async () => {
    const readers = await settled(Promise.all([1, 2, 3].map(() => lock.acquire('read', 'r', order, 50))));
    await expect(settled(lock.acquire('write', 'r', order, 50))).rejects.toThrow('no write lock on r');
    for (const reader of readers) reader.release();
    (await settled(lock.acquire('write', 'r', order, 50))).release();
  });

  it('comes to a writer although readers never stop coming', async () => {
    let reading = true;
    const reader = async (): Promise<void> => {
      while (reading) {
        const held = await lock.acquire('read', 'r', order, 60_000);
        await work();
        held.release();
      }
    };
    const readers = Promise.all([reader(), reader(), reader(), reader()]);
    await jest.advanceTimersByTimeAsync(20);
    (await settled(lock.acquire('write', 'r', order, 2_000))).release();
    reading = false;
    await settled(readers);
  });

  it('passes from each of many writers to another', async () => {
    let inside = 0;
    let passed = 0;
    const writer = async (): Promise<void> => {
      const held = await lock.acquire('write', 'r', order, 60_000);
      expect(++inside).toBe(1);
      await work();
      inside--;
      passed++;
      held.release();
    };
    await settled(Promise.all(Array.from({ length: 20 }, writer)));
    expect(passed).toBe(20);
  });

  it('stands with one node gone, also the one that is asked first', async () => {
    voters[2]!.down = true;
    const held = await settled(lock.acquire('write', 'r', order, 50));
    await jest.advanceTimersByTimeAsync(TTL * 3);
    expect(() => held.check()).not.toThrow();
    held.release();
  });

  it('is not given where too few nodes answer, and nothing is left of the attempt', async () => {
    voters[2]!.down = true;
    voters[3]!.down = true;
    await expect(settled(lock.acquire('write', 'r', order, 50))).rejects.toThrow('2 of 3 votes, remote disconnected');
    expect(voters.map(({ table }) => table.size)).toEqual([0, 0, 0, 0]);
    const reader = await settled(lock.acquire('read', 'r', order, 50));
    reader.release();
  });

  it('is lost when less than a quorum still knows it', async () => {
    const held = await settled(lock.acquire('write', 'r', order, 50));
    await jest.advanceTimersByTimeAsync(TTL * 2);
    voters[1]!.table.forceRelease('r');
    await jest.advanceTimersByTimeAsync(TTL / 3);
    expect(() => held.check()).not.toThrow();
    voters[0]!.table.forceRelease('r');
    await jest.advanceTimersByTimeAsync(TTL / 3);
    expect(() => held.check()).toThrow('the write lock on r was lost: at most 2 of 3 nodes still know it');
    held.release();
  });

  it('is over after its time when too few nodes can be asked', async () => {
    const held = await settled(lock.acquire('write', 'r', order, 50));
    voters[0]!.down = true;
    voters[1]!.down = true;
    await jest.advanceTimersByTimeAsync(TTL / 2);
    expect(() => held.check()).not.toThrow();
    await jest.advanceTimersByTimeAsync(TTL / 2);
    // nothing goes on for a holder that never gives it back
    expect(jest.getTimerCount()).toBe(0);
    expect(() => held.check()).toThrow('the write lock on r was not refreshed in time');
  });

  it('waits for no node that hangs', async () => {
    let answer!: () => void;
    const hung = voters[1]!;
    const late = new Promise<void>((resolve) => (answer = resolve));
    const acquire = hung.acquire.bind(hung);
    hung.acquire = (...args) => late.then(() => acquire(...args));
    const held = await settled(lock.acquire('write', 'r', order, 50));
    answer();
    await settled(late);
    await jest.advanceTimersByTimeAsync(1);
    expect(hung.table.size).toBe(1);
    held.release();
    await jest.advanceTimersByTimeAsync(1);
    expect(hung.table.size).toBe(0);
  });

  it('is not relied upon by a process that slept, before any refresh told', async () => {
    const held = await settled(lock.acquire('write', 'r', order, 50));
    jest.setSystemTime(Date.now() + TTL);
    for (const voter of voters) voter.down = true;
    // the clock of the process went on, its timers did not run
    const now = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + TTL);
    expect(() => held.check()).toThrow('the write lock on r was not refreshed in time');
    now.mockRestore();
    held.release();
  });

  it('of a holder that died is free after its time', async () => {
    // the dead one: its grants are there, nobody refreshes them
    for (const { table } of voters) table.acquire('write', 'r', 'dead', 'dead');
    const startedAt = Date.now();
    const held = await settled(lock.acquire('write', 'r', order, TTL * 2));
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(TTL);
    held.release();
  });

  it('can be forced open', async () => {
    const held = await settled(lock.acquire('write', 'r', order, 50));
    voters[1]!.down = true;
    expect(await settled(lock.forceRelease('r'))).toBe(3);
    voters[1]!.down = false;
    await jest.advanceTimersByTimeAsync(TTL);
    expect(() => held.check()).toThrow('the write lock on r was lost');
  });
});
