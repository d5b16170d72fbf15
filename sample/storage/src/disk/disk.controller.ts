import { Controller, UseGuards } from '@nestjs/common';
import { GridInput, GridRequest, GridStream } from 'nestjs-grid';
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
} from '../contracts.js';
import type {
  CommitFileAnswer,
  CommitFileRequest,
  DeleteFileAnswer,
  DiskInfoAnswer,
  DiskInfoRequest,
  PathRequest,
  ReadAllAnswer,
  ReadFileRequest,
  Receipt,
  StatFileAnswer,
  StatFileRequest,
  WalkDirRequest,
  WalkEntry,
  WriteAllRequest,
} from '../contracts.js';
import { DiskGuard } from './disk.guard.js';
import { LocalDisk } from './local-disk.js';

/** What the other nodes may do with this node's disk. */
@Controller()
@UseGuards(DiskGuard)
export class DiskController {
  constructor(private readonly disk: LocalDisk) {}

  @GridRequest(DiskInfo)
  info(request: DiskInfoRequest): Promise<DiskInfoAnswer> {
    return this.disk.info(request.noOp);
  }

  @GridRequest(ReadAll)
  async readAll({ path }: PathRequest): Promise<ReadAllAnswer> {
    return { data: (await this.disk.readAll(path)) ?? null };
  }

  @GridRequest(WriteAll)
  writeAll({ path, data }: WriteAllRequest): Promise<Receipt> {
    return this.disk.writeAll(path, data);
  }

  @GridRequest(StatFile)
  async statFile({ path, tail }: StatFileRequest): Promise<StatFileAnswer> {
    return { stat: (await this.disk.stat(path, tail)) ?? null };
  }

  @GridRequest(CommitFile)
  async commitFile({ from, to }: CommitFileRequest): Promise<CommitFileAnswer> {
    return { outcome: await this.disk.commit(from, to) };
  }

  @GridRequest(DeleteFile)
  async deleteFile({ path }: PathRequest): Promise<DeleteFileAnswer> {
    return { deleted: await this.disk.delete(path) };
  }

  /** A generator is pulled: a slow reader holds the walk, nothing piles up here. */
  @GridStream(WalkDir)
  walkDir({ path, tail }: WalkDirRequest): AsyncGenerator<WalkEntry> {
    return this.disk.walk(path, tail);
  }

  /** The input of a caller that is gone throws; the file then never appears. */
  @GridStream(CreateFile)
  createFile({ path }: PathRequest, @GridInput() input: AsyncIterable<Uint8Array>): Promise<Receipt> {
    return this.disk.create(path, input);
  }

  @GridStream(ReadFile)
  readFile({ path, offset, length }: ReadFileRequest): AsyncGenerator<Uint8Array> {
    return this.disk.read(path, { offset, length });
  }
}
