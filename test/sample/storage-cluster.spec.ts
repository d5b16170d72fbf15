import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { getGridToken, Grid } from 'nestjs-grid';
import * as contracts from '../../sample/storage/src/contracts.js';
import { LocalDisk } from '../../sample/storage/src/disk/local-disk.js';
import { encodeFormat } from '../../sample/storage/src/format/format.js';
import { Front } from '../../sample/storage/src/launcher/front.js';
import { freePorts } from '../../sample/storage/src/launcher/ports.js';
import { until } from '../../sample/storage/src/launcher/until.js';
import { Locks } from '../../sample/storage/src/lock/locks.js';
import { REPLICAS, type NodeConfig } from '../../sample/storage/src/node/node-config.js';
import { startNode } from '../../sample/storage/src/node/storage-node.js';
import { pathOfKey } from '../../sample/storage/src/objects/object-path.js';
import { replicasOf } from '../../sample/storage/src/objects/placement.js';
import { decodeSeal, encodeSeal, SEAL_BYTES } from '../../sample/storage/src/objects/seal.js';
import { nextVersion } from '../../sample/storage/src/objects/version.js';

const NODES = 4;
const HANG_MS = 15_000;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let root: string;
let configs: NodeConfig[];
const apps: (INestApplication | undefined)[] = [];
const fronts: Front[] = [];

function config(node: number, hosts: readonly string[]): NodeConfig {
  return {
    node,
    hosts,
    dataFolder: join(root, `node-${node}`),
    secret: 's'.repeat(32),
    lockTtlMs: 3_000,
    agreeWithinMs: HANG_MS,
    healEveryMs: 60_000,
  };
}
async function start(node: number): Promise<void> {
  apps[node] = await startNode(configs[node]!, []);
}
/** Starts nodes again and waits until each node is connected with each, on both grids. */
async function comeBack(...nodes: number[]): Promise<void> {
  await Promise.all(nodes.map(start));
  const grids = apps.flatMap((app) => (app ? [app.get(Grid), app.get<Grid>(getGridToken(contracts.LOCK_GRID))] : []));
  const peers = grids.flatMap((grid) => grid.peers);
  await Promise.all(peers.map((one) => one.waitForConnect({ timeoutMs: HANG_MS })));
}
async function stop(node: number): Promise<void> {
  const app = apps[node];
  apps[node] = undefined;
  await app?.close();
}
const data = (node: number): Grid => apps[node]!.get(Grid);
const peer = (from: number, to: number): ReturnType<Grid['peer']> => data(from).peer(configs[to]!.hosts[to]!);
const front = (node: number): Front => fronts[node]!;
const diskOf = (node: number): LocalDisk => new LocalDisk(node, configs[node]!.dataFolder);
/** Until nobody has anything left to heal. */
const quiet = (): Promise<void> =>
  until(HANG_MS, 'healing to be done', async () => {
    for (const [node, app] of apps.entries()) {
      if (app && !(await front(node).health()).heal.idle) throw new Error(`node ${node} heals`);
    }
  });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'storage-cluster-'));
  const hosts = (await freePorts(NODES, undefined)).map((port) => `http://127.0.0.1:${port}`);
  configs = hosts.map((url, node) => {
    fronts.push(new Front(url));
    return config(node, hosts);
  });
  await comeBack(...configs.map(({ node }) => node));
}, 2 * HANG_MS);

afterAll(async () => {
  await Promise.all(configs.map(({ node }) => stop(node)));
  await rm(root, { recursive: true, force: true });
}, 2 * HANG_MS);

describe('the deployment', () => {
  it('is one, and stands on each disk', async () => {
    const ids = new Set<string>();
    for (const { node, dataFolder } of configs) {
      const format = JSON.parse(await readFile(join(dataFolder, 'format.json'), 'utf8'));
      expect(format).toMatchObject({ version: 1, node, nodes: NODES });
      ids.add(format.deployment);
      expect((await front(node).health()).deployment).toBe(format.deployment);
    }
    expect(ids.size).toBe(1);
  });

  it(
    'refuses a node whose folder belongs to another one, and takes it with a fresh folder',
    async () => {
      await stop(3);
      const file = join(configs[3]!.dataFolder, 'format.json');
      const own = await readFile(file);
      await writeFile(file, encodeFormat({ deployment: 'elsewhere', node: 3, nodes: NODES }));
      await expect(start(3)).rejects.toThrow(
        /cannot join: the folder belongs to deployment elsewhere, but \S+ is that of node 0, 1, 2/,
      );
      await writeFile(file, encodeFormat({ deployment: 'elsewhere', node: 1, nodes: NODES }));
      await expect(start(3)).rejects.toThrow('the folder is of node 1 of 4, but was started as node 3 of 4');
      await rm(file);
      await comeBack(3);
      expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(own.toString()));
    },
    3 * HANG_MS,
  );
});

describe('the disk over the grid', () => {
  it('answers every request', async () => {
    const disk = peer(0, 1);
    expect(await disk.request(contracts.DiskInfo, { noOp: true })).toEqual({ node: 1, total: 0, free: 0 });
    expect((await disk.request(contracts.DiskInfo, {})).free).toBeGreaterThan(0);
    expect(await disk.request(contracts.WriteAll, { path: 't/a', data: Buffer.from('abc') })).toEqual({
      size: 3,
      sha256: sha256(Buffer.from('abc')),
    });
    const { data: read } = await disk.request(contracts.ReadAll, { path: 't/a' });
    expect(Buffer.from(read!).toString()).toBe('abc');
    await expect(disk.request(contracts.CommitFile, { from: 't/a', to: 't/b' })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 't/a is not sealed',
    });
    const seal = { version: nextVersion(0, undefined), size: 0, sha256: '', deleted: false, type: '' };
    await disk.request(contracts.WriteAll, { path: 't/a', data: encodeSeal(seal) });
    expect(await disk.request(contracts.CommitFile, { from: 't/a', to: 't/b' })).toEqual({ outcome: 'committed' });
    expect(await disk.request(contracts.CommitFile, { from: 't/a', to: 't/b' })).toEqual({ outcome: 'missing' });
    expect((await disk.request(contracts.StatFile, { path: 't/b', tail: 2 })).stat).toMatchObject({ size: SEAL_BYTES });
    expect(await disk.request(contracts.StatFile, { path: 't/a' })).toEqual({ stat: null });
    expect(await disk.request(contracts.ReadAll, { path: 't/a' })).toEqual({ data: null });
    expect(await disk.request(contracts.DeleteFile, { path: 't/b' })).toEqual({ deleted: true });
    expect(await disk.request(contracts.DeleteFile, { path: 't/b' })).toEqual({ deleted: false });
  });

  it('refuses a path that leaves the folder, in each call', async () => {
    const disk = peer(0, 1);
    const path = '../node-2/format.json';
    const refused = { message: expect.stringContaining('not a plain relative path') };
    await expect(disk.request(contracts.ReadAll, { path })).rejects.toMatchObject(refused);
    await expect(disk.request(contracts.WriteAll, { path, data: Buffer.from('x') })).rejects.toMatchObject(refused);
    await expect(disk.request(contracts.StatFile, { path })).rejects.toMatchObject(refused);
    await expect(disk.request(contracts.DeleteFile, { path })).rejects.toMatchObject(refused);
    await expect(disk.request(contracts.CommitFile, { from: 'format.json', to: path })).rejects.toMatchObject(refused);
    await expect(drain(disk.stream(contracts.ReadFile, { path }))).rejects.toMatchObject(refused);
    await expect(drain(disk.stream(contracts.WalkDir, { path: '..' }))).rejects.toMatchObject(refused);
    await expect(
      drain(disk.stream(contracts.CreateFile, { path }, { input: [Buffer.from('x')] })),
    ).rejects.toMatchObject(refused);
    expect(await readFile(join(configs[2]!.dataFolder, 'format.json'))).toBeDefined();
  });

  it('streams a file in and out in chunks', async () => {
    const chunks = Array.from({ length: 40 }, () => randomBytes(30_000));
    const whole = Buffer.concat(chunks);
    const [receipt] = await drain(peer(0, 2).stream(contracts.CreateFile, { path: 't/streamed' }, { input: chunks }));
    expect(receipt).toEqual({ size: whole.length, sha256: sha256(whole) });
    const read = await drain(peer(1, 2).stream(contracts.ReadFile, { path: 't/streamed' }));
    expect(sha256(Buffer.concat(read))).toBe(sha256(whole));
    expect(read).toHaveLength(Math.ceil(whole.length / contracts.CHUNK_BYTES));
    await expect(drain(peer(1, 2).stream(contracts.ReadFile, { path: 't/none' }))).rejects.toThrow(
      'there is no file t/none',
    );
  });

  it('never commits a file whose caller stopped in the middle', async () => {
    const call = peer(0, 1).stream(contracts.CreateFile, { path: 't/cancelled' });
    for (let index = 0; index < 50; index++) await call.write(randomBytes(1_000));
    call.cancel(new Error('changed my mind'));
    await nothingIncoming(1);
    expect(await diskOf(1).stat('t/cancelled')).toBeUndefined();

    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield randomBytes(1_000);
      throw new Error('the source broke');
    };
    await expect(
      drain(peer(0, 1).stream(contracts.CreateFile, { path: 't/broken' }, { input: failing() })),
    ).rejects.toThrow();
    await nothingIncoming(1);
    expect(await diskOf(1).stat('t/broken')).toBeUndefined();
  });

  it(
    'never takes a lost connection for the end: neither of a file nor of a walk',
    async () => {
      const upload = peer(3, 1).stream(contracts.CreateFile, { path: 't/cut' });
      for (let index = 0; index < 50; index++) await upload.write(randomBytes(1_000));

      for (let index = 0; index < 200; index++) {
        await diskOf(3).writeAll(`many/${String(index).padStart(3, '0')}`, Buffer.alloc(0));
      }
      const walk = peer(0, 3).stream(contracts.WalkDir, { path: 'many' })[Symbol.asyncIterator]();
      expect((await walk.next()).value).toMatchObject({ path: 'many/000' });

      await stop(3);
      await nothingIncoming(1);
      expect(await diskOf(1).stat('t/cut')).toBeUndefined();
      const seen = async (): Promise<number> => {
        for (let count = 1; ; count++) if ((await walk.next()).done) return count;
      };
      await expect(seen()).rejects.toMatchObject({ code: expect.any(String) });
      await comeBack(3);
    },
    3 * HANG_MS,
  );
});

describe('the status', () => {
  it('tells of all disks and of both grids', async () => {
    const disks = (await (await fetch(`${front(0).url}/disks`)).json()) as contracts.DiskInfoAnswer[];
    expect(disks.map(({ node, free }) => [node, free > 0])).toEqual(configs.map(({ node }) => [node, true]));
    const { data: grid, locks } = await front(1).stats();
    expect([grid.peers.length, locks.peers.length, locks.name]).toEqual([NODES - 1, NODES - 1, contracts.LOCK_GRID]);
  });
});

describe('objects over HTTP', () => {
  it.each([
    ['empty', Buffer.alloc(0)],
    ['small', Buffer.from('{"not": "parsed"')],
    ['large', randomBytes(3_000_001)],
  ])('%s ones are written through one node and read through all', async (name, content) => {
    const key = `http/${name} ü+%.bin`;
    const stored = await front(0).put(key, content);
    expect(stored).toMatchObject({ key, size: content.length, sha256: sha256(content) });
    for (const { node } of configs) {
      expect(await front(node).get(key)).toEqual({
        size: content.length,
        sha256: stored.sha256,
        version: stored.version,
      });
      expect(await front(node).exists(key)).toBe(true);
    }
    const holders = await Promise.all(configs.map(({ node }) => diskOf(node).stat(pathOfKey(key))));
    expect(holders.filter(Boolean)).toHaveLength(REPLICAS);
  });

  it('keep their type and tell their checksum', async () => {
    const url = `${front(1).url}/objects/http/typed`;
    await fetch(url, { method: 'PUT', body: '[1]', headers: { 'content-type': 'application/json' } });
    const response = await fetch(url);
    expect(await response.text()).toBe('[1]');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('content-length')).toBe('3');
    expect(response.headers.get('etag')).toBe(`"${sha256(Buffer.from('[1]'))}"`);
  });

  it('are replaced and deleted for all nodes at once', async () => {
    const first = await front(0).put('http/changing', Buffer.from('1'));
    const second = await front(1).put('http/changing', Buffer.from('2'));
    expect(second.version > first.version).toBe(true);
    expect((await front(2).get('http/changing'))?.version).toBe(second.version);
    expect(await front(3).delete('http/changing')).toBe(true);
    expect(await front(0).delete('http/changing')).toBe(false);
    for (const { node } of configs) {
      expect(await front(node).get('http/changing')).toBeUndefined();
      expect(await front(node).exists('http/changing')).toBe(false);
    }
    const third = await front(0).put('http/changing', Buffer.from('3'));
    expect((await front(1).get('http/changing'))?.version).toBe(third.version);
  });

  it('are listed by prefix, deleted ones left out', async () => {
    const keys = ['list/a', 'list/a/b', 'list/a.b', 'list/c', 'lisu', 'list/ü'];
    for (const [index, key] of keys.entries()) await front(index % NODES).put(key, Buffer.from(key));
    await front(0).delete('list/c');
    for (const { node } of configs) {
      const found = await front(node).list('list/');
      expect(found.map(({ key }) => key).sort()).toEqual(['list/a', 'list/a.b', 'list/a/b', 'list/ü']);
      expect((await front(node).list('list/a/')).map(({ key }) => key)).toEqual(['list/a/b']);
      expect(await front(node).list('nothing/')).toEqual([]);
    }
  });

  it('with an impossible key are a fault of the client', async () => {
    for (const key of ['a/', 'a//b', 'x'.repeat(300)]) {
      const response = await fetch(`${front(0).url}/objects/${key}`, { method: 'PUT', body: 'x' });
      expect(response.status).toBe(400);
    }
    expect((await fetch(`${front(0).url}/objects/..%2F..%2Fetc`, { method: 'PUT', body: 'x' })).status).toBe(400);
    expect((await fetch(`${front(0).url}/objects/none`)).status).toBe(404);
  });

  it('are not stored when the client is cut off', async () => {
    const upload = request(`${front(0).url}/objects/http/aborted`, {
      method: 'PUT',
      headers: { 'content-length': '1000000' },
    });
    // destroyed below, before it has an answer
    upload.on('error', () => undefined);
    upload.write(randomBytes(200_000));
    await until(HANG_MS, 'the upload to arrive', async () => {
      const counts = await Promise.all(configs.map(({ node }) => incomingFiles(node)));
      if (counts.filter((count) => count > 0).length < REPLICAS) throw new Error('not there');
    });
    upload.destroy();
    for (const { node } of configs) await nothingIncoming(node);
    for (const { node } of configs) expect(await front(node).get('http/aborted')).toBeUndefined();
  });
});

describe('locks', () => {
  it('have a grid of their own', async () => {
    const locks = apps[0]!.get<Grid>(getGridToken(contracts.LOCK_GRID), { strict: false });
    expect(locks.route).toBe(contracts.LOCK_ROUTE);
    expect(locks.stats().peers.map(({ state }) => state)).toEqual(['connected', 'connected', 'connected']);
    // the grid of the data does not know them
    await expect(peer(0, 1).request(contracts.Lock, { resource: 'r', uid: '1', owner: 'o' })).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
    });
  });

  it('keep writers of all nodes apart', async () => {
    const held = await apps[1]!.get(Locks, { strict: false }).acquire('write', 'locked');
    let stored = false;
    const waiting = front(0)
      .put('locked', Buffer.from('x'))
      .finally(() => (stored = true));
    await front(0).put('other', Buffer.from('x'));
    expect(stored).toBe(false);
    held.release();
    await waiting;
    expect(await front(2).exists('locked')).toBe(true);
  });

  it(
    'end with a holder that is gone',
    async () => {
      await apps[3]!.get(Locks, { strict: false }).acquire('write', 'orphaned');
      await stop(3);
      const startedAt = performance.now();
      await front(0).put('orphaned', Buffer.from('x'));
      expect(performance.now() - startedAt).toBeLessThan(configs[0]!.lockTtlMs + HANG_MS);
      await comeBack(3);
    },
    3 * HANG_MS,
  );

  it('are broken by force', async () => {
    const held = await apps[1]!.get(Locks, { strict: false }).acquire('write', 'forced');
    const response = await fetch(`${front(2).url}/locks/forced`, { method: 'DELETE' });
    expect(await response.json()).toEqual({ nodes: NODES });
    await front(0).put('forced', Buffer.from('x'));
    held.release();
  });
});

describe('a node that is gone', () => {
  it(
    'is done without, comes back and is healed; two are too many',
    async () => {
      const on2 = keysOn(2);
      const keys = Array.from({ length: 12 }, on2);
      for (const key of keys) await front(0).put(key, Buffer.from(`old ${key}`));
      await stop(2);

      // replaced, deleted, new: none of it reaches node 2
      for (const key of keys.slice(0, 4)) await front(0).put(key, Buffer.from(`new ${key}`));
      for (const key of keys.slice(4, 8)) expect(await front(1).delete(key)).toBe(true);
      const fresh = Array.from({ length: 4 }, on2);
      for (const key of fresh) await front(3).put(key, Buffer.from(`new ${key}`));
      expect((await front(1).list('heal/')).length).toBe(12);

      await comeBack(2);
      await quiet();
      for (const key of [...keys.slice(0, 4), ...fresh]) expect(await contentOn(2, key)).toBe(`new ${key}`);
      for (const key of keys.slice(4, 8)) expect(await contentOn(2, key)).toBeUndefined();
      for (const key of keys.slice(8)) expect(await contentOn(2, key)).toBe(`old ${key}`);

      // nobody else can tell now: what it was healed to is what is read
      await stop(0);
      for (const key of fresh) expect((await front(2).get(key))?.sha256).toBe(sha256(Buffer.from(`new ${key}`)));
      for (const key of keys.slice(4, 8)) expect(await front(2).get(key)).toBeUndefined();

      await stop(1);
      await expect(front(3).put(keys[0]!, Buffer.from('x'))).rejects.toThrow('503');
      await expect(front(3).list('heal/')).rejects.toThrow('503');
      await comeBack(0, 1);
      await quiet();
      expect((await front(0).list('heal/')).length).toBe(12);
    },
    6 * HANG_MS,
  );
});

/** Makes keys that have a copy on the node. */
function keysOn(node: number): () => string {
  let number = 0;
  return () => {
    for (;;) {
      const key = `heal/${number++}`;
      if (replicasOf(key, NODES, REPLICAS).includes(node)) return key;
    }
  };
}

/** The object's content on one disk; undefined for a tombstone. */
async function contentOn(node: number, key: string): Promise<string | undefined> {
  const file = await readFile(join(configs[node]!.dataFolder, pathOfKey(key)));
  const seal = decodeSeal(file.length, file)!;
  return seal.deleted ? undefined : file.subarray(0, file.length - SEAL_BYTES).toString();
}

async function incomingFiles(node: number): Promise<number> {
  return (await readdir(join(configs[node]!.dataFolder, 'incoming'))).length;
}

async function nothingIncoming(node: number): Promise<void> {
  await until(HANG_MS, 'what was cut to be thrown away', async () => {
    if ((await incomingFiles(node)) > 0) throw new Error('it is still there');
  });
}

async function drain<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
