import type { GridPeer } from 'nestjs-grid';
import {
  CommitFile,
  CreateFile,
  DeleteFile,
  DiskInfo,
  ReadAll,
  ReadFile,
  StatFile,
  WalkDir,
  WriteAll,
  type CommitOutcome,
  type DiskInfoAnswer,
  type FileStat,
  type Receipt,
  type WalkEntry,
} from '../contracts.js';
import type { Disk } from './disk.js';

/** Single requests must be answered within this; what can take long is a stream and has no limit of its own. */
const REQUEST_TIMEOUT_MS = 10_000;
const LIMIT = { timeoutMs: REQUEST_TIMEOUT_MS };

/** A node's disk over the grid. The own node is reached the same way, through the local handlers. */
export class RemoteDisk implements Disk {
  constructor(
    readonly node: number,
    private readonly peer: GridPeer,
  ) {}

  info(noOp = false): Promise<DiskInfoAnswer> {
    return this.peer.request(DiskInfo, { noOp }, LIMIT);
  }

  async readAll(path: string): Promise<Uint8Array | undefined> {
    return (await this.peer.request(ReadAll, { path }, LIMIT)).data ?? undefined;
  }

  writeAll(path: string, data: Uint8Array): Promise<Receipt> {
    return this.peer.request(WriteAll, { path, data }, LIMIT);
  }

  async stat(path: string, tail = 0): Promise<FileStat | undefined> {
    return (await this.peer.request(StatFile, { path, tail }, LIMIT)).stat ?? undefined;
  }

  async commit(from: string, to: string): Promise<CommitOutcome> {
    return (await this.peer.request(CommitFile, { from, to }, LIMIT)).outcome;
  }

  async delete(path: string): Promise<boolean> {
    return (await this.peer.request(DeleteFile, { path }, LIMIT)).deleted;
  }

  walk(path: string, tail = 0): AsyncIterable<WalkEntry> {
    return this.peer.stream(WalkDir, { path, tail });
  }

  async create(path: string, input: AsyncIterable<Uint8Array>): Promise<Receipt> {
    let receipt: Receipt | undefined;
    for await (const answer of this.peer.stream(CreateFile, { path }, { input })) receipt = answer;
    if (!receipt) throw new Error(`node ${this.node} gave no receipt for ${path}`);
    return receipt;
  }

  read(path: string, range: { offset?: number; length?: number } = {}): AsyncIterable<Uint8Array> {
    return this.peer.stream(ReadFile, { path, ...range });
  }
}
