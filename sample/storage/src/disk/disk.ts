import type { CommitOutcome, DiskInfoAnswer, FileStat, Receipt, WalkEntry } from '../contracts.js';

/** One node's disk, as the rest of the app sees it: the own one and the others look the same. */
export interface Disk {
  /** Number of the node in the list of hosts, from 0. */
  readonly node: number;
  info(noOp?: boolean): Promise<DiskInfoAnswer>;
  readAll(path: string): Promise<Uint8Array | undefined>;
  writeAll(path: string, data: Uint8Array): Promise<Receipt>;
  stat(path: string, tail?: number): Promise<FileStat | undefined>;
  /** Gives a sealed file its place, unless what is there is as new or newer. */
  commit(from: string, to: string): Promise<CommitOutcome>;
  /** False: there was nothing to delete. */
  delete(path: string): Promise<boolean>;
  /** All files under `path`, ordered by path. */
  walk(path: string, tail?: number): AsyncIterable<WalkEntry>;
  /** The file appears whole once `input` has ended; when `input` throws, nothing appears and its error is thrown. */
  create(path: string, input: AsyncIterable<Uint8Array>): Promise<Receipt>;
  read(path: string, range?: { offset?: number; length?: number }): AsyncIterable<Uint8Array>;
}
