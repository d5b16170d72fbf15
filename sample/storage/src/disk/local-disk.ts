import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GridError } from 'nestjs-grid';
import {
  CHUNK_BYTES,
  type CommitOutcome,
  type DiskInfoAnswer,
  type FileStat,
  type Receipt,
  type WalkEntry,
} from '../contracts.js';
import { decodeSeal, SEAL_BYTES } from '../objects/seal.js';
import type { Disk } from './disk.js';
import { insideOf } from './disk-path.js';
import { Turns } from './turns.js';

/** Files being received. Whatever lies here when a node starts was cut off and is thrown away. */
const INCOMING = 'incoming';
/** Largest file that readAll gives, in bytes; larger ones are read in chunks. */
const READ_ALL_BYTES = 1024 * 1024;
const LONGEST_TAIL = 4096;

/** The disk of this node: plain files under one folder. A file is replaced as a whole or not at all. */
export class LocalDisk implements Disk {
  /** By target: nothing comes between the look at what is there and the rename. */
  private readonly commits = new Turns();

  constructor(
    readonly node: number,
    readonly root: string,
  ) {}

  /** Makes the folder and throws away what an earlier run received only half. */
  async prepare(): Promise<void> {
    await rm(join(this.root, INCOMING), { recursive: true, force: true });
    await mkdir(join(this.root, INCOMING), { recursive: true });
  }

  async info(noOp = false): Promise<DiskInfoAnswer> {
    if (noOp) return { node: this.node, total: 0, free: 0 };
    const { blocks, bavail, bsize } = await statfs(this.root);
    return { node: this.node, total: blocks * bsize, free: bavail * bsize };
  }

  async readAll(path: string): Promise<Uint8Array | undefined> {
    const file = await openToRead(insideOf(this.root, path));
    if (!file) return undefined;
    try {
      const { size } = await file.stat();
      if (size > READ_ALL_BYTES) {
        throw new GridError(
          'OUT_OF_RANGE',
          `${path} has ${size} bytes, more than ${READ_ALL_BYTES}: read it in chunks`,
        );
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  async writeAll(path: string, data: Uint8Array): Promise<Receipt> {
    return this.create(path, [data]);
  }

  async stat(path: string, tail = 0): Promise<FileStat | undefined> {
    return statWithTail(insideOf(this.root, path), tail);
  }

  async commit(from: string, to: string): Promise<CommitOutcome> {
    const target = insideOf(this.root, to);
    const source = insideOf(this.root, from);
    const coming = await statWithTail(source, SEAL_BYTES);
    if (!coming) return 'missing';
    const seal = decodeSeal(coming.size, coming.tail);
    if (!seal) throw new GridError('FAILED_PRECONDITION', `${from} is not sealed`);
    await mkdir(dirname(target), { recursive: true });
    return this.commits.alone(target, async () => {
      const there = await statWithTail(target, SEAL_BYTES);
      if (there && (decodeSeal(there.size, there.tail)?.version ?? '') >= seal.version) {
        await rm(source, { force: true });
        return 'superseded';
      }
      return (await unlessMissing(rename(source, target))) ? 'committed' : 'missing';
    });
  }

  async delete(path: string): Promise<boolean> {
    return unlessMissing(rm(insideOf(this.root, path)));
  }

  async *walk(path: string, tail = 0): AsyncGenerator<WalkEntry, void, undefined> {
    const folder = insideOf(this.root, path);
    let entries;
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    // A folder sorts as its name with the slash that its files' paths have there: so the whole walk is in path order.
    const sorted = entries.map((entry) => ({
      name: entry.name,
      isFolder: entry.isDirectory(),
      isFile: entry.isFile(),
    }));
    sorted.sort((a, b) => compare(a.isFolder ? `${a.name}/` : a.name, b.isFolder ? `${b.name}/` : b.name));
    for (const { name, isFolder, isFile } of sorted) {
      const below = `${path}/${name}`;
      if (isFolder) yield* this.walk(below, tail);
      if (!isFile) continue;
      const found = await statWithTail(join(folder, name), tail);
      if (found) yield { path: below, ...found };
    }
  }

  async create(path: string, input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Receipt> {
    const target = insideOf(this.root, path);
    const part = join(this.root, INCOMING, randomUUID());
    const hash = createHash('sha256');
    let size = 0;
    try {
      const file = await open(part, 'wx');
      try {
        // A cut input throws here, it never looks like its end: the rename below is not reached.
        for await (const chunk of input) {
          if (!(chunk instanceof Uint8Array)) throw new GridError('INVALID_ARGUMENT', 'a chunk must be bytes');
          hash.update(chunk);
          size += chunk.length;
          await file.writeFile(chunk);
        }
        await file.datasync();
      } finally {
        await file.close();
      }
      await mkdir(dirname(target), { recursive: true });
      await rename(part, target);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    return { size, sha256: hash.digest('hex') };
  }

  async *read(
    path: string,
    range: { offset?: number; length?: number } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let position = wholeNumber('offset', range.offset ?? 0);
    let left = range.length === undefined ? Infinity : wholeNumber('length', range.length);
    const file = await openToRead(insideOf(this.root, path));
    if (!file) throw new GridError('NOT_FOUND', `there is no file ${path}`);
    try {
      while (left > 0) {
        // a fresh buffer each time: the one that was given away belongs to whoever took it
        const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, left));
        const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
        position += bytesRead;
        left -= bytesRead;
      }
    } finally {
      await file.close();
    }
  }
}

async function statWithTail(name: string, tail: number): Promise<FileStat | undefined> {
  const wanted = Math.min(wholeNumber('tail', tail), LONGEST_TAIL);
  if (wanted === 0) {
    const found = await stat(name).catch(undefinedIfMissing);
    return found?.isFile()
      ? { size: found.size, modifiedMs: Math.floor(found.mtimeMs), tail: new Uint8Array() }
      : undefined;
  }
  // size and tail of one open file: a rename in between would give the size of one file and the tail of another
  const file = await openToRead(name);
  if (!file) return undefined;
  try {
    const { size, mtimeMs } = await file.stat();
    const bytes = new Uint8Array(Math.min(wanted, size));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
    return { size, modifiedMs: Math.floor(mtimeMs), tail: bytes.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

/** An open file; undefined where there is none, a folder included. */
async function openToRead(name: string): Promise<FileHandle | undefined> {
  const file = await open(name, 'r').catch(undefinedIfMissing);
  if (!file || (await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

async function unlessMissing(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function wholeNumber(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new GridError('INVALID_ARGUMENT', `${name} must be a whole number of bytes, got ${String(value)}`);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
