import { hash } from './hash';
import { ROW_BYTES, SCRATCH, TABLE, TABLE_ROWS } from './layout';
import { at, end, high, low, readBinHeader, readUint, readUintTo, setRange } from './reader';

// the numbers of op.ts and flag.ts that decide something here

const PING: u32 = 3;
const PONG: u32 = 4;
const CONNECT_MUX: u32 = 5;
const MUX_CONNECT_ERROR: u32 = 6;
const MUX_SERVER_MSG: u32 = 10;
const REQUEST: u32 = 14;
const RESPONSE: u32 = 15;
const MERGED: u32 = 17;

const CRC: u32 = 0x01;
const EOF: u32 = 0x02;
const SUBROUTE: u32 = 0x20;
const METADATA: u32 = 0x40;
const MANY: u32 = 0x80;
const V1_FLAGS: u32 = 0x3f;

const ARRAY_OF_7: u32 = 0x97;
const SUBROUTE_BYTES: i32 = 32;
const CRC_BYTES: i32 = 4;
/** 2^21 * 2^32: from here on JavaScript needs a bigint. */
const MUX_ID_HIGH_END: u32 = 0x20_0000;

// what the connection allows

let messageBytes: i32 = 0;
/** Flags that are known: those of v1, METADATA and MANY where their extensions are active. */
let knownFlags: u32 = 0;

/**
 * Walks the received frame of `length` bytes in the scratch area and fills the table, a row for each message:
 *
 *     0   u8 op, u8 flags, u8 handler
 *     4   u64 muxId, less than 2^53
 *     12  u32 seq
 *     16  u32 deadlineMs
 *     20  u32 where the payload starts, from the start of the frame
 *     24  u32 bytes of the payload
 *     28  u32 where the metadata ends and the subroute id starts; both are there iff their flags are
 *
 * Returns the number of messages, or -1 for whatever the plain decoder may refuse or this one does not know; nothing
 * in the table counts then. Metadata is not looked into.
 */
export function walkFrame(length: i32, maxMessageBytes: i32, maxMessages: i32, extensionFlags: i32): i32 {
  messageBytes = maxMessageBytes;
  knownFlags = V1_FLAGS | extensionFlags;
  setRange(SCRATCH, SCRATCH + length);
  if (!walkMessage(TABLE)) return -1;
  if (load<u8>(TABLE) !== MERGED) return 1;

  const count = load<i32>(TABLE, 12);
  if (count < 0 || count > maxMessages || count > TABLE_ROWS) return -1;
  const frameEnd = end;
  for (let row = TABLE, last = TABLE + count * ROW_BYTES; row < last; row += ROW_BYTES) {
    if (!readBinHeader()) return -1;
    const itemEnd = at + low;
    setRange(at, itemEnd);
    if (!walkMessage(row) || load<u8>(row) === MERGED) return -1;
    setRange(itemEnd, frameEnd);
  }
  return at === frameEnd ? count : -1;
}

/** Fills the row of the one message that fills the range. Of a Merged only the head is walked. */
function walkMessage(row: i32): bool {
  const start = at;
  if (start >= end || load<u8>(start) !== ARRAY_OF_7) return false;
  setRange(start + 1, end);
  if (!readUint() || high >= MUX_ID_HIGH_END) return false;
  const isOfConnection = (low | high) === 0;
  store<u32>(row, low, 4);
  store<u32>(row, high, 8);
  if (!readUintTo(u32.MAX_VALUE)) return false;
  store<u32>(row, low, 12);
  if (!readUintTo(u32.MAX_VALUE)) return false;
  const deadlineMs = low;
  store<u32>(row, deadlineMs, 16);
  if (!readUintTo(0xff)) return false;
  const handler = low;
  if (!readUintTo(0xff)) return false;
  const op = low;
  if (!readUintTo(0xff)) return false;
  const flags = low;
  store<u32>(row, op | (flags << 8) | (handler << 16));
  if (!isScope(op, isOfConnection) || !areKnown(flags, op)) return false;
  if (!readBinHeader() || <i32>low > messageBytes) return false;
  const payloadBytes = low;
  const payloadEnd = at + payloadBytes;
  store<u32>(row, at - SCRATCH, 20);
  store<u32>(row, payloadBytes, 24);
  setRange(payloadEnd, end);
  if (op === MERGED) return (deadlineMs | handler | flags | payloadBytes) === 0;
  return walkTrailers(row, start, flags);
}

/** What stands behind the payload, from the end of the range inwards. */
function walkTrailers(row: i32, start: i32, flags: u32): bool {
  let trailer = end;
  if (flags & CRC) {
    trailer -= CRC_BYTES;
    if (trailer < at || load<u32>(trailer) !== <u32>hash(start, trailer - start)) return false;
  }
  if (flags & SUBROUTE) {
    trailer -= SUBROUTE_BYTES;
    if (trailer < at) return false;
  }
  store<u32>(row, trailer - SCRATCH, 28);
  return flags & METADATA ? true : trailer === at;
}

/** The op is known, and about the connection or a call as the muxId says. */
function isScope(op: u32, isOfConnection: bool): bool {
  if (op === 0 || op > MERGED) return false;
  if (op === PING || op === PONG) return true;
  return isOfConnection === (op < CONNECT_MUX || op > RESPONSE);
}

function areKnown(flags: u32, op: u32): bool {
  if (flags & ~knownFlags) return false;
  if (flags & MANY && op !== REQUEST) return false;
  if (!(flags & METADATA)) return true;
  if (op === MUX_SERVER_MSG) return (flags & EOF) !== 0;
  return op === REQUEST || op === CONNECT_MUX || op === RESPONSE || op === MUX_CONNECT_ERROR;
}
