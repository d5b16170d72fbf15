import { createHash } from 'node:crypto';
import { objectPath } from '../../sample/storage/src/launcher/front.js';
import { runAll } from '../../sample/storage/src/launcher/work-pool.js';
import type { Chance } from './chance.js';
import { HttpClient, type Answer, type Ask } from './http-client.js';
import { monotonic } from './monotonic.js';
import type { Begun, Content, Operation } from './operation.js';
import { lasts } from '../pace.js';

/** A client waits no longer for an answer. */
export const CLIENT_WITHIN_MS = 20_000;
const LARGE_BYTES = 2_000_000;
const SMALL_BYTES = 20_000;
const CHUNK_BYTES = 48 * 1024;
const LONGEST_PAUSE_MS = 60;
const LONGEST_HOLD_MS = 400;
const READERS = 8;

const WEIGHTS = { put: 28, get: 34, delete: 6, list: 4, large: 4, lock: 12, abandonPut: 3, abandonGet: 2 } as const;

/** Folders of keys: how many there are of each, and which of them are deleted at times. */
const FOLDERS = [
  { prefix: 'hot/', keys: 6, deleted: false },
  { prefix: 'kept/', keys: 250, deleted: false },
  { prefix: 'passing/', keys: 60, deleted: true },
] as const;
const LOCKS = ['lock/a', 'lock/b', 'lock/c'];

export interface LoadTarget {
  readonly urls: readonly string[];
  /** Nodes that are expected to answer. */
  readonly serving: () => readonly number[];
}

export interface LoadListener {
  began(operation: Begun): void;
  ended(operation: Operation): void;
}

/** Clients that use the storage over HTTP, each in its own order of chance. */
export class ClientLoad {
  private readonly http = new HttpClient();
  private nextId: number;
  private stopped = false;

  constructor(
    private readonly target: LoadTarget,
    private readonly listener: LoadListener,
    /** Of several loads in one run: its operations count from there. */
    load = 0,
  ) {
    this.nextId = load * 1e9;
  }

  /** Runs until `stop()`; resolves when the last operation has ended. */
  async run(clients: number, chance: Chance): Promise<void> {
    await Promise.all(Array.from({ length: clients }, () => this.client(chance.fork())));
  }

  stop(): void {
    this.stopped = true;
  }

  /** Closes the idle connections. */
  close(): void {
    this.http.close();
  }

  /** Reads every key through the node, and lists all. */
  async readAll(node: number): Promise<void> {
    const keys = FOLDERS.flatMap(({ prefix, keys }) => Array.from(Array(keys).keys(), (index) => keyOf(prefix, index)));
    await runAll(keys, READERS, (key) => this.get(node, key));
    await this.list(node, '');
  }

  private async client(chance: Chance): Promise<void> {
    while (!this.stopped) {
      await this.one(chance);
      await lasts(chance.between(0, LONGEST_PAUSE_MS));
    }
  }

  private one(chance: Chance): Promise<void> {
    const node = this.node(chance);
    const folder = chance.pick(FOLDERS);
    const key = keyOf(folder.prefix, chance.whole(0, folder.keys - 1));
    switch (chance.weighted(WEIGHTS)) {
      case 'put':
        return this.put(node, key, chance.bytes(chance.whole(8, SMALL_BYTES)));
      case 'large':
        return this.put(node, key, chance.bytes(chance.whole(LARGE_BYTES / 4, LARGE_BYTES)));
      case 'abandonPut':
        return this.put(node, key, chance.bytes(chance.whole(LARGE_BYTES / 8, LARGE_BYTES / 2)), chance.next());
      case 'get':
        return this.get(node, key);
      case 'abandonGet':
        return this.get(node, key, chance.whole(1, SMALL_BYTES));
      case 'delete':
        return this.delete(node, keyOf('passing/', chance.whole(0, FOLDERS[2].keys - 1)));
      case 'list':
        return this.list(node, chance.is(0.2) ? '' : folder.prefix);
      case 'lock':
        return this.lock(node, chance.pick(LOCKS), chance);
    }
  }

  /** Mostly one that is expected to answer. */
  private node(chance: Chance): number {
    const serving = this.target.serving();
    if (serving.length > 0 && chance.is(0.9)) return chance.pick(serving);
    return chance.whole(0, this.target.urls.length - 1);
  }

  /** @param leaveAt Which part of the content is sent before the client goes away. */
  private async put(node: number, key: string, content: Buffer, leaveAt?: number): Promise<void> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const begun = this.begin({ kind: 'put', node, key, sha256, size: content.length });
    const body = leaveAt === undefined ? chunksOf(content) : cut(chunksOf(content), content.length * leaveAt);
    await this.settle(begun, { method: 'PUT', path: objectPath(key), body }, ({ status, text }) => {
      if (status !== 200) return { outcome: 'unknown', error: `${status} ${text}` };
      return { outcome: 'ok', stored: JSON.parse(text) as Content };
    });
  }

  private async get(node: number, key: string, leaveAfter?: number): Promise<void> {
    const begun = this.begin({ kind: 'get', node, key });
    const ask = { method: 'GET', path: objectPath(key), leaveAfter } as const;
    await this.settle(begun, ask, ({ status, text, headers, size, sha256 }) => {
      if (status === 404) return { outcome: 'absent' };
      if (status !== 200) return { outcome: 'failed', error: `${status} ${text}` };
      return { outcome: 'found', found: { size, sha256, version: String(headers['x-version']) } };
    });
  }

  private async delete(node: number, key: string): Promise<void> {
    const begun = this.begin({ kind: 'delete', node, key });
    await this.settle(begun, { method: 'DELETE', path: objectPath(key) }, ({ status, text }) => {
      if (status === 404) return { outcome: 'absent' };
      return status === 204 ? { outcome: 'ok' } : { outcome: 'unknown', error: `${status} ${text}` };
    });
  }

  private async list(node: number, prefix: string): Promise<void> {
    const begun = this.begin({ kind: 'list', node, prefix });
    const path = `/objects?prefix=${encodeURIComponent(prefix)}`;
    await this.settle(begun, { method: 'GET', path }, ({ status, text }) => {
      if (status !== 200) return { outcome: 'failed', error: `${status} ${text}` };
      const lines = text.split('\n').filter((line) => line !== '');
      return { outcome: 'whole', entries: lines.map((line) => JSON.parse(line) as Content & { key: string }) };
    });
  }

  private async lock(node: number, key: string, chance: Chance): Promise<void> {
    const begun = this.begin({ kind: 'lock', node, key });
    const kind = chance.is(0.7) ? 'write' : 'read';
    const path = `/chaos/lock?resource=${encodeURIComponent(key)}&kind=${kind}&ms=${chance.whole(0, LONGEST_HOLD_MS)}`;
    await this.settle(begun, { method: 'POST', path }, ({ status, text }) => {
      if (status !== 201) return { outcome: 'failed', error: `${status} ${text}` };
      return { outcome: (JSON.parse(text) as { held: boolean }).held ? 'held' : 'lost' };
    });
  }

  private begin<B extends DistributiveOmit<Begun, 'id' | 'start' | 'withinMs'>>(what: B): Begun {
    const begun = { ...what, id: this.nextId++, start: monotonic(), withinMs: CLIENT_WITHIN_MS } as Begun;
    this.listener.began(begun);
    return begun;
  }

  private async settle(
    begun: Begun,
    { path, ...ask }: Omit<Ask, 'url' | 'withinMs'> & { readonly path: string },
    outcomeOf: (answer: Answer) => object,
  ): Promise<void> {
    let outcome: object;
    try {
      const url = `${this.target.urls[begun.node]}${path}`;
      outcome = outcomeOf(await this.http.ask({ ...ask, url, withinMs: CLIENT_WITHIN_MS }));
    } catch (error) {
      const failed = begun.kind === 'put' || begun.kind === 'delete' ? 'unknown' : 'failed';
      outcome = { outcome: failed, error: (error as Error).message };
    }
    this.listener.ended({ ...begun, ...outcome, end: monotonic() } as Operation);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function keyOf(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(4, '0')}`;
}

function* chunksOf(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES);
}

function* cut(chunks: Iterable<Buffer>, bytes: number): Generator<Buffer> {
  let sent = 0;
  for (const chunk of chunks) {
    if (sent + chunk.length > bytes) throw new Error('the client went away');
    sent += chunk.length;
    yield chunk;
  }
  throw new Error('the client went away');
}
