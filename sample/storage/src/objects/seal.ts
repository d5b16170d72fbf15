import { isVersion } from './version.js';

/** Length of a seal in bytes. */
export const SEAL_BYTES = 512;
const LONGEST_TYPE = 120;

/**
 * The last 512 bytes of an object's file: what the object is. It stands at the end because the checksum is known only
 * then, and it makes one file the whole truth: a file without a seal is no object, and what a seal says travels with
 * the content in one rename.
 */
export interface Seal {
  /** Sorts by age: of two copies the one with the greater version counts. */
  readonly version: string;
  /** Bytes of content before the seal. */
  readonly size: number;
  readonly sha256: string;
  /** A tombstone: the object was deleted. It stays, so that healing does not bring an old copy back. */
  readonly deleted: boolean;
  /** MIME type. */
  readonly type: string;
}

export function encodeSeal(seal: Seal): Uint8Array {
  const type =
    /^[\x20-\x7e]*$/.test(seal.type) && seal.type.length <= LONGEST_TYPE ? seal.type : 'application/octet-stream';
  const text = JSON.stringify({ seal: 1, ...seal, type });
  return Buffer.from(`${text.padEnd(SEAL_BYTES - 1)}\n`, 'latin1');
}

/** The seal of a file with this size and these last bytes; undefined when the file is no whole object. */
export function decodeSeal(fileSize: number, tail: Uint8Array): Seal | undefined {
  if (tail.length < SEAL_BYTES) return undefined;
  let found: Partial<Seal & { seal: number }> | null;
  try {
    found = JSON.parse(Buffer.from(tail.subarray(tail.length - SEAL_BYTES)).toString('latin1'));
  } catch {
    // no seal at the end: the write was cut, or the file was never one of ours
    return undefined;
  }
  const { seal, version, size, sha256, deleted, type } = found ?? {};
  if (seal !== 1 || !isVersion(version) || size !== fileSize - SEAL_BYTES) return undefined;
  if (typeof sha256 !== 'string' || typeof deleted !== 'boolean' || typeof type !== 'string') return undefined;
  return { version, size, sha256, deleted, type };
}
