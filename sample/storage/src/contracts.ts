import { defineRequest, defineStream } from 'nestjs-grid';

/*
 * Everything that one node may ask of another, in one file. An ID is for ever: a contract that is not used any more
 * keeps its number as retired, a changed meaning gets a new number. Nodes of two releases run side by side while a
 * cluster is updated, and a number that moved would run the wrong handler on the right-looking call. A test pins
 * each name and ID to a golden file.
 *
 * Absence is an answer here, never an error: a caller counts votes, and "I do not have it" is a vote.
 */

/** The grid of the locks: its own name, route and connections, so that bulk data never delays a lock. */
export const LOCK_GRID = 'locks';
export const LOCK_ROUTE = '/grid/locks/v1';

/** Size of the pieces in which files travel, in bytes. Small enough that no call waits long behind one. */
export const CHUNK_BYTES = 64 * 1024;

// ---- disk: single requests --------------------------------------------------------------------------------------

export interface DiskInfoRequest {
  /** Answer without touching the disk: measures the grid alone. */
  noOp?: boolean;
}
export interface DiskInfoAnswer {
  node: number;
  /** Bytes of the file system; both 0 for a no-op. */
  total: number;
  free: number;
}
/** Paths are relative to the node's data folder, `/` between the parts; anything that could leave it is refused. */
export interface PathRequest {
  path: string;
}
export interface ReadAllAnswer {
  /** null: there is no such file. */
  data: Uint8Array | null;
}
export interface WriteAllRequest {
  path: string;
  data: Uint8Array;
}
export interface StatFileRequest {
  path: string;
  /** How many of the file's last bytes come along. Default 0. */
  tail?: number;
}
export interface FileStat {
  size: number;
  /** Unix time in milliseconds. */
  modifiedMs: number;
  /** The file's last bytes, as many as were asked for and there are. */
  tail: Uint8Array;
}
export interface StatFileAnswer {
  /** null: there is no such file. */
  stat: FileStat | null;
}
export interface CommitFileRequest {
  /** A sealed file. */
  from: string;
  to: string;
}
export interface CommitFileAnswer {
  outcome: CommitOutcome;
}
/** `superseded`: what lies at `to` is as new or newer, and stays. `missing`: there is no file `from`. */
export type CommitOutcome = 'committed' | 'superseded' | 'missing';
export interface DeleteFileAnswer {
  /** False: there was nothing to delete. */
  deleted: boolean;
}

export const DiskInfo = defineRequest<DiskInfoRequest, DiskInfoAnswer>({ id: 1, name: 'disk.info' });
export const ReadAll = defineRequest<PathRequest, ReadAllAnswer>({ id: 2, name: 'disk.read-all' });
export const WriteAll = defineRequest<WriteAllRequest, Receipt>({ id: 3, name: 'disk.write-all' });
export const StatFile = defineRequest<StatFileRequest, StatFileAnswer>({ id: 4, name: 'disk.stat-file' });
/** Retired, its number is not given away again: late on its way, it put an old object over a newer one. */
export const RenameFile = defineRequest<{ from: string; to: string }, { renamed: boolean }>({
  id: 5,
  name: 'disk.rename-file',
});
export const DeleteFile = defineRequest<PathRequest, DeleteFileAnswer>({ id: 6, name: 'disk.delete-file' });

/**
 * Gives a sealed file its place, unless a newer one is there. The holder of a lock looks before it commits, but what it
 * sent can arrive when the lock has long passed to another: only the disk itself can tell late from in time.
 */
export const CommitFile = defineRequest<CommitFileRequest, CommitFileAnswer>({ id: 10, name: 'disk.commit-file' });

// ---- disk: streams ----------------------------------------------------------------------------------------------

export interface WalkDirRequest {
  path: string;
  /** As in StatFileRequest. */
  tail?: number;
}
export interface WalkEntry extends FileStat {
  path: string;
}
/** What was written: proof for the caller that the node got each byte. */
export interface Receipt {
  size: number;
  sha256: string;
}
export interface ReadFileRequest {
  path: string;
  /** First byte. Default 0. */
  offset?: number;
  /** Bytes at most. Default: to the end. */
  length?: number;
}

/** All files under a folder, ordered by path (UTF-16 code units), so that the walks of two nodes can be merged. */
export const WalkDir = defineStream<WalkDirRequest, never, WalkEntry>({
  id: 7,
  name: 'disk.walk-dir',
  outCapacity: 64,
});
/** The file appears whole when the input has ended, or not at all. One receipt comes back. */
export const CreateFile = defineStream<PathRequest, Uint8Array, Receipt>({
  id: 8,
  name: 'disk.create-file',
  inCapacity: 8,
  outCapacity: 1,
});
/** The file as it was when the call began, in chunks; a file that is not there ends the stream with an error. */
export const ReadFile = defineStream<ReadFileRequest, never, Uint8Array>({
  id: 9,
  name: 'disk.read-file',
  outCapacity: 8,
});

// ---- locks: single requests on the grid of the locks --------------------------------------------------------------

export interface LockRequest {
  resource: string;
  /** Names this one hold; the holder's secret, so to speak. */
  uid: string;
  /** Origin of the holder, for whoever asks who is in the way. */
  owner: string;
}
export interface LockAnswer {
  granted: boolean;
  /** Owner of a hold that is in the way. */
  heldBy?: string;
}
export interface HoldRequest {
  resource: string;
  uid: string;
}
export interface HoldAnswer {
  /** False: this node does not know the hold (any more). */
  held: boolean;
}
export interface ForceUnlockRequest {
  resource: string;
}
export interface ForceUnlockAnswer {
  /** How many holds were dropped. */
  dropped: number;
}

export const Lock = defineRequest<LockRequest, LockAnswer>({ id: 20, name: 'lock.lock' });
export const RLock = defineRequest<LockRequest, LockAnswer>({ id: 21, name: 'lock.r-lock' });
export const Unlock = defineRequest<HoldRequest, HoldAnswer>({ id: 22, name: 'lock.unlock' });
export const RUnlock = defineRequest<HoldRequest, HoldAnswer>({ id: 23, name: 'lock.r-unlock' });
export const Refresh = defineRequest<HoldRequest, HoldAnswer>({ id: 24, name: 'lock.refresh' });
export const ForceUnlock = defineRequest<ForceUnlockRequest, ForceUnlockAnswer>({ id: 25, name: 'lock.force-unlock' });
