import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LocalDisk } from '../../sample/storage/src/disk/local-disk.js';
import { encodeSeal, SEAL_BYTES } from '../../sample/storage/src/objects/seal.js';
import { nextVersion } from '../../sample/storage/src/objects/version.js';
import { seeded } from '../random.js';

let parent: string;
let disk: LocalDisk;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'storage-disk-'));
  disk = new LocalDisk(0, join(parent, 'data'));
  await disk.prepare();
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);
async function all(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}
async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text);
}

describe('a local disk', () => {
  it('writes, reads, stats and deletes files', async () => {
    const receipt = await disk.writeAll('a/b.txt', bytes('hello'));
    expect(receipt).toEqual({ size: 5, sha256: createHash('sha256').update('hello').digest('hex') });
    expect(Buffer.from((await disk.readAll('a/b.txt'))!).toString()).toBe('hello');
    const stat = await disk.stat('a/b.txt', 3);
    expect(stat?.size).toBe(5);
    expect(Buffer.from(stat!.tail).toString()).toBe('llo');
    expect(await disk.delete('a/b.txt')).toBe(true);
    expect(await disk.readAll('a/b.txt')).toBeUndefined();
  });

  /** An object of this age that is about to be committed. */
  async function sealed(path: string, version: string): Promise<string> {
    const content = bytes(version);
    const seal = encodeSeal({ version, size: content.length, sha256: '', deleted: false, type: '' });
    await disk.create(path, [content, seal]);
    return path;
  }
  const placed = async (path: string): Promise<string> =>
    Buffer.from((await disk.readAll(path))!.subarray(0, -SEAL_BYTES)).toString();

  it('never puts an old object over a newer one, in whatever order they come', async () => {
    const versions = Array.from({ length: 20 }, (_, index) => nextVersion(0, undefined, 1_000 + index));
    expect(await disk.commit(await sealed('parts/5', versions[5]!), 'c/d/e')).toBe('committed');
    expect(await disk.commit(await sealed('parts/4', versions[4]!), 'c/d/e')).toBe('superseded');
    expect(await disk.commit(await sealed('parts/5', versions[5]!), 'c/d/e')).toBe('superseded');
    expect(await placed('c/d/e')).toBe(versions[5]);
    expect(await disk.commit(await sealed('parts/6', versions[6]!), 'c/d/e')).toBe('committed');
    expect(await disk.commit('parts/6', 'c/d/e')).toBe('missing');
    await disk.writeAll('parts/plain', bytes('x'.repeat(1_000)));
    await expect(disk.commit('parts/plain', 'c/d/e')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });

    const parts = await Promise.all(versions.map((version) => sealed(`parts/${version}`, version)));
    const random = seeded(64);
    const places = new Map(parts.map((part) => [part, random()]));
    const shuffled = parts.toSorted((a, b) => places.get(a)! - places.get(b)!);
    await Promise.all(shuffled.map((part) => disk.commit(part, 'c/d/e')));
    expect(await placed('c/d/e')).toBe(versions.at(-1));
    await disk.delete('parts/plain');
    expect(await readdir(join(disk.root, 'parts'))).toEqual([]);
  });

  it('answers what is not there, folders included, without an error', async () => {
    await disk.writeAll('a/b', bytes('x'));
    expect(await disk.readAll('a')).toBeUndefined();
    expect(await disk.stat('a')).toBeUndefined();
    expect(await disk.stat('a', 5)).toBeUndefined();
    expect(await disk.stat('a/b/c')).toBeUndefined();
    expect(await disk.commit('no', 'where')).toBe('missing');
    expect(await disk.delete('no')).toBe(false);
    expect(await all(disk.read('a/b'))).toBe('x');
    await expect(all(disk.read('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tells its size, and touches no disk when it need not', async () => {
    expect(await disk.info()).toMatchObject({ node: 0, total: expect.any(Number), free: expect.any(Number) });
    await rm(disk.root, { recursive: true });
    expect(await disk.info(true)).toEqual({ node: 0, total: 0, free: 0 });
    await expect(disk.info()).rejects.toThrow('ENOENT');
  });

  it('refuses to read a large file at once', async () => {
    await disk.writeAll('large', Buffer.alloc(1024 * 1024 + 1));
    await expect(disk.readAll('large')).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  });

  it('reads any range in chunks', async () => {
    const content = 'abcdefghij'.repeat(20_000);
    await disk.create('r', chunksOf(content.slice(0, 70_001), content.slice(70_001)));
    expect(await all(disk.read('r'))).toBe(content);
    expect(await all(disk.read('r', { offset: 100_003, length: 7 }))).toBe(content.slice(100_003, 100_010));
    expect(await all(disk.read('r', { offset: 199_999 }))).toBe('j');
    expect(await all(disk.read('r', { offset: 300_000 }))).toBe('');
    await expect(all(disk.read('r', { offset: -1 }))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('commits nothing when the input is cut', async () => {
    const cut = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes('half');
      throw new Error('the caller is gone');
    };
    await disk.writeAll('kept', bytes('old'));
    await expect(disk.create('kept', cut())).rejects.toThrow('the caller is gone');
    await expect(disk.create('new', cut())).rejects.toThrow('the caller is gone');
    expect(await all(disk.read('kept'))).toBe('old');
    expect(await disk.stat('new')).toBeUndefined();
    expect(await readdir(join(disk.root, 'incoming'))).toEqual([]);
  });

  it('throws away at the start what an earlier run received half', async () => {
    await writeFile(join(disk.root, 'incoming', 'left'), 'x');
    await disk.prepare();
    expect(await readdir(join(disk.root, 'incoming'))).toEqual([]);
  });

  it('walks in the order of the paths, links left out', async () => {
    for (const path of ['w/a/z', 'w/a.b', 'w/a', 'w/b/c/d', 'w/b/c.d', 'w/B']) {
      if (path !== 'w/a') await disk.writeAll(path, bytes(path));
    }
    await symlink('/etc/hostname', join(disk.root, 'w', 'link'));
    const found: string[] = [];
    for await (const { path, size, tail } of disk.walk('w', 2)) {
      found.push(path);
      expect(size).toBe(path.length);
      expect(Buffer.from(tail).toString()).toBe(path.slice(-2));
    }
    expect(found).toEqual([...found].sort());
    expect(found).toHaveLength(5);
    expect(await disk.walk('nowhere').next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    '',
    '.',
    '..',
    '../x',
    'a/../../x',
    '/etc/passwd',
    'a//b',
    'a/',
    'a/./b',
    'a\\..\\b',
    'C:x',
    'a\0b',
    'x'.repeat(5000),
    7,
    null,
  ])('refuses the path %j everywhere', async (odd) => {
    const path = odd as string;
    const refused = { code: 'INVALID_ARGUMENT' };
    await writeFile(join(parent, 'x'), 'secret');
    await disk.writeAll('fine', bytes('x'));
    await expect(disk.readAll(path)).rejects.toMatchObject(refused);
    await expect(disk.writeAll(path, bytes('x'))).rejects.toMatchObject(refused);
    await expect(disk.stat(path)).rejects.toMatchObject(refused);
    await expect(disk.commit(path, 'y')).rejects.toMatchObject(refused);
    await expect(disk.commit('fine', path)).rejects.toMatchObject(refused);
    await expect(disk.delete(path)).rejects.toMatchObject(refused);
    await expect(disk.create(path, chunksOf('x'))).rejects.toMatchObject(refused);
    await expect(disk.read(path).next()).rejects.toMatchObject(refused);
    await expect(disk.walk(path).next()).rejects.toMatchObject(refused);
  });
});
