import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Receipt } from '../contracts.js';
import type { Disk } from '../disk/disk.js';
import { withTimeLimit } from '../node/time-limit.js';
import { ChunkPipe } from './chunk-pipe.js';
import { QuorumError } from './quorum-error.js';

/** A disk that takes no chunk for this long is left out of the upload. */
const STALL_MS = 5_000;

/** The reason of a failed call is waited for no longer than this. */
const REASON_MS = 100;

/** One copy on its way to one disk. */
interface Copy {
  readonly disk: Disk;
  readonly pipe: ChunkPipe;
  readonly receipt: Promise<Receipt>;
}

/**
 * Sends one content to several disks at once, under a temporary name. The slowest disk sets the pace; one that fails
 * is left behind as long as enough go on.
 */
export class Upload {
  private copies: Copy[];
  private readonly failures: unknown[] = [];
  private readonly logger = new Logger(Upload.name);
  private readonly hash = createHash('sha256');
  private bytes = 0;

  constructor(
    disks: readonly Disk[],
    readonly path: string,
    private readonly quorum: number,
  ) {
    this.copies = disks.map((disk) => {
      const pipe = new ChunkPipe();
      const receipt = disk.create(path, pipe);
      receipt.catch((error: Error) => pipe.fail(error));
      return { disk, pipe, receipt };
    });
  }

  /** Bytes written so far. */
  get size(): number {
    return this.bytes;
  }

  /** Of the bytes written so far. */
  get sha256(): string {
    return this.hash.copy().digest('hex');
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.hash.update(chunk);
    this.bytes += chunk.length;
    await this.each(async ({ disk, pipe, receipt }) => {
      try {
        await withTimeLimit(STALL_MS, `node ${disk.node} to take a chunk`, pipe.write(chunk));
      } catch (error) {
        // the pipe knows only that its reader is gone, the call says why
        await Promise.race([receipt, delay(REASON_MS)]);
        throw error;
      }
    });
  }

  /** Ends the input and resolves with the disks that have proved to hold all of it. */
  async finish(): Promise<Disk[]> {
    const sha256 = this.sha256;
    await this.each(async ({ disk, pipe, receipt }) => {
      pipe.end();
      const got = await withTimeLimit(STALL_MS, `node ${disk.node} to confirm`, receipt);
      if (got.size !== this.bytes || got.sha256 !== sha256) {
        throw new Error(`node ${disk.node} confirmed other content`);
      }
    });
    return this.copies.map(({ disk }) => disk);
  }

  /** Gives up: the disks throw away what they have. */
  abort(error: Error): void {
    for (const copy of this.copies) this.discard(copy, error);
    this.copies = [];
  }

  private async each(step: (copy: Copy) => Promise<void>): Promise<void> {
    const outcomes = await Promise.allSettled(this.copies.map(step));
    this.copies = this.copies.filter((copy, index) => {
      const outcome = outcomes[index];
      if (outcome?.status !== 'rejected') return true;
      this.failures.push(outcome.reason);
      this.discard(copy, outcome.reason as Error);
      return false;
    });
    if (this.copies.length < this.quorum) {
      throw new QuorumError('upload', this.copies.length, this.quorum, this.failures);
    }
  }

  private discard(copy: Copy, error: Error): void {
    copy.pipe.fail(error);
    void this.remove(copy);
  }

  /** In the background: where the whole input had arrived already, the temporary file is removed again. */
  private async remove({ disk, receipt }: Copy): Promise<void> {
    const [arrived] = await Promise.allSettled([receipt]);
    // has left nothing; it failed by the error of the discard, or by its own, which came before
    if (arrived.status === 'rejected') return;
    try {
      await disk.delete(this.path);
    } catch (error) {
      this.logger.debug(`${this.path} stays on node ${disk.node} until healing: ${(error as Error).message}`);
    }
  }
}
