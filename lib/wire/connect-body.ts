import { bodyReader, readBody, required } from './body.js';
import type { MsgpackReader } from './msgpack-reader.js';
import {
  maxStrBytes,
  MAX_HEADER_BYTES,
  MAX_UINT_BYTES,
  putArrayHeader,
  putBin,
  putBool,
  putMapHeader,
  putStr,
  putUint,
} from './msgpack-writer.js';
import { violation } from './violation.js';
import { putTime, readTime, TIME_BYTES, type WireTime } from './wire-time.js';

/** What either side may say of itself in the handshake (wire spec §11). */
export interface Abilities {
  /** Names of extensions, in any order. undefined: the peer knows none (a Go peer), or sent something odd. */
  readonly ext?: readonly string[] | undefined;
  /** The largest WebSocket message in bytes that the sender accepts, at least 65,536. */
  readonly max?: number | undefined;
}

/** The first message of a connection, from the dialer (wire spec §3). */
export interface ConnectRequest extends Abilities {
  /** 16 bytes: the dialer's process ID. */
  readonly id: Uint8Array;
  /** The dialer's origin. */
  readonly host: string;
  /** The dialer's clock. */
  readonly time: WireTime;
  readonly token: string;
}

/** The acceptor's answer. */
export interface ConnectResponse extends Abilities {
  /** 16 bytes: the acceptor's process ID. */
  readonly id: Uint8Array;
  readonly accepted: boolean;
  /** Empty when accepted. */
  readonly rejectedReason: string;
}

/** "an integer of at least 65,536, anything else counts as absent" (wire spec §11). */
export const LEAST_MAX = 65_536;
/** "An Ext that is not an array of at most 64 strings counts as absent" (wire spec §11). */
export const MOST_EXT = 64;

const ID_BYTES = 16;

export function encodeConnectRequest(request: ConnectRequest): Uint8Array {
  const room = 64 + ID_BYTES + maxStrBytes(request.host) + TIME_BYTES + maxStrBytes(request.token);
  const target = new Uint8Array(room + abilitiesRoom(request));
  let at = putMapHeader(target, 0, 4 + abilitiesCount(request));
  at = putBin(target, putStr(target, at, 'ID'), request.id);
  at = putStr(target, putStr(target, at, 'Host'), request.host);
  at = putTime(target, putStr(target, at, 'Time'), request.time);
  at = putStr(target, putStr(target, at, 'Token'), request.token);
  return target.subarray(0, putAbilities(target, at, request));
}

/** Throws a violation for anything that is no ConnectRequest. The id is a view of `payload`. */
export function decodeConnectRequest(payload: Uint8Array | undefined): ConnectRequest {
  const reader = bodyReader(payload);
  let id: Uint8Array | undefined;
  let host: string | undefined;
  let time: WireTime | undefined;
  let token: string | undefined;
  let ext: string[] | undefined;
  let max: number | undefined;
  readBody(reader, (key) => {
    switch (key) {
      case 'ID':
        id = readId(reader);
        return true;
      case 'Host':
        host = reader.str(key);
        return true;
      case 'Time':
        time = readTime(reader, key);
        return true;
      case 'Token':
        token = reader.str(key);
        return true;
      case 'Ext':
        ext = readExt(reader);
        return true;
      case 'Max':
        max = readMax(reader);
        return true;
      default:
        return false;
    }
  });
  reader.finish('ConnectRequest');
  return {
    id: required(id, 'ConnectRequest', 'ID'),
    host: required(host, 'ConnectRequest', 'Host'),
    time: required(time, 'ConnectRequest', 'Time'),
    token: required(token, 'ConnectRequest', 'Token'),
    ext,
    max,
  };
}

export function encodeConnectResponse(response: ConnectResponse): Uint8Array {
  const room = 64 + ID_BYTES + maxStrBytes(response.rejectedReason);
  const target = new Uint8Array(room + abilitiesRoom(response));
  let at = putMapHeader(target, 0, 3 + abilitiesCount(response));
  at = putBin(target, putStr(target, at, 'ID'), response.id);
  at = putBool(target, putStr(target, at, 'Accepted'), response.accepted);
  at = putStr(target, putStr(target, at, 'RejectedReason'), response.rejectedReason);
  return target.subarray(0, putAbilities(target, at, response));
}

/** Throws a violation for anything that is no ConnectResponse. The id is a view of `payload`. */
export function decodeConnectResponse(payload: Uint8Array | undefined): ConnectResponse {
  const reader = bodyReader(payload);
  let id: Uint8Array | undefined;
  let accepted: boolean | undefined;
  let rejectedReason = '';
  let ext: string[] | undefined;
  let max: number | undefined;
  readBody(reader, (key) => {
    switch (key) {
      case 'ID':
        id = readId(reader);
        return true;
      case 'Accepted':
        accepted = reader.bool(key);
        return true;
      case 'RejectedReason':
        rejectedReason = reader.text(key);
        return true;
      case 'Ext':
        ext = readExt(reader);
        return true;
      case 'Max':
        max = readMax(reader);
        return true;
      default:
        return false;
    }
  });
  reader.finish('ConnectResponse');
  return {
    id: required(id, 'ConnectResponse', 'ID'),
    accepted: required(accepted, 'ConnectResponse', 'Accepted'),
    rejectedReason,
    ext,
    max,
  };
}

function readId(reader: MsgpackReader): Uint8Array {
  const id = reader.bin('ID');
  if (id.length !== ID_BYTES) throw violation(`ID of ${id.length} bytes, 16 are needed`);
  return id;
}

function readExt(reader: MsgpackReader): string[] | undefined {
  const start = reader.at;
  if (reader.kind() === 'array') {
    const names: string[] = [];
    const count = reader.arrayHeader('Ext');
    while (count <= MOST_EXT && names.length < count && reader.kind() === 'str') names.push(reader.text('Ext'));
    if (names.length === count) return names;
    reader.at = start;
  }
  reader.skip();
  return undefined;
}

function readMax(reader: MsgpackReader): number | undefined {
  if (reader.kind() !== 'uint') {
    reader.skip();
    return undefined;
  }
  const max = Number(reader.uint64('Max'));
  return max < LEAST_MAX ? undefined : max;
}

function abilitiesCount({ ext, max }: Abilities): number {
  return (ext === undefined ? 0 : 1) + (max === undefined ? 0 : 1);
}

function abilitiesRoom({ ext = [] }: Abilities): number {
  return ext.reduce((room, name) => room + maxStrBytes(name), 8 + MAX_HEADER_BYTES + MAX_UINT_BYTES);
}

function putAbilities(target: Uint8Array, offset: number, { ext, max }: Abilities): number {
  let at = offset;
  if (ext !== undefined) {
    at = putArrayHeader(target, putStr(target, at, 'Ext'), ext.length);
    for (const name of ext) at = putStr(target, at, name);
  }
  return max === undefined ? at : putUint(target, putStr(target, at, 'Max'), max);
}
