import { hash } from './hash';
import { ROW_BYTES, SCRATCH, TABLE, TABLE_ROWS } from './layout';
import { binHeaderAt, next, uintAt, value } from './reader';

// those numbers of op.ts and flag.ts that decide something here, again: what is compiled to wasm cannot import them

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
const UINT_64: u32 = 0xcf;
/** 2^53: from here on JavaScript needs a bigint. */
const MUX_ID_END: u64 = 0x20_0000_0000_0000;
/** Set in five bytes where one of them is more than an integer of one byte. */
const FIVE_LONG: u64 = 0x80_8080_8080;

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
  const end = SCRATCH + length;
  let at = walkMessage(TABLE, SCRATCH, end);
  if (at === 0) return -1;
  if (load<u8>(TABLE) !== MERGED) return 1;

  const count = load<i32>(TABLE, 12);
  if (count < 0 || count > maxMessages || count > TABLE_ROWS) return -1;
  for (let row = TABLE, last = TABLE + count * ROW_BYTES; row < last; row += ROW_BYTES) {
    const header = binHeaderAt(at);
    const start = next(header);
    const itemBytes = value(header);
    if (header === 0 || start > end || itemBytes > <u32>(end - start)) return -1;
    at = start + itemBytes;
    if (walkMessage(row, start, at) === 0 || load<u8>(row) === MERGED) return -1;
  }
  return at === end ? count : -1;
}

/**
 * Fills the row of the one message that fills the memory from `start` to `end`, and returns where its payload ends; 0:
 * it is unusual or wrong. Of a Merged only the head is walked. A head that is cut off is read past its end, where
 * memory is too, before it is found out.
 */
function walkMessage(row: i32, start: i32, end: i32): i32 {
  if (load<u8>(start) !== ARRAY_OF_7) return 0;
  let at = start + 1;
  let muxId: u64;
  if (load<u8>(at) === UINT_64) {
    muxId = bswap<u64>(load<u64>(at, 1));
    if (muxId >= MUX_ID_END) return 0;
    at += 9;
  } else {
    const read = uintAt(at);
    if (read === 0) return 0;
    muxId = value(read);
    at = next(read);
  }
  store<u64>(row, muxId, 4);

  let seq: u32, deadlineMs: u32, handler: u32, op: u32, flags: u32;
  const five = load<u64>(at);
  if ((five & FIVE_LONG) === 0) {
    // one byte each, as in most messages
    seq = (five as u32) & 0xff;
    deadlineMs = ((five as u32) >> 8) & 0xff;
    handler = ((five as u32) >> 16) & 0xff;
    op = (five as u32) >> 24;
    flags = ((five >> 32) as u32) & 0xff;
    at += 5;
  } else {
    const first = uintAt(at);
    const second = uintAt(next(first));
    const third = uintAt(next(second));
    const fourth = uintAt(next(third));
    const fifth = uintAt(next(fourth));
    if (first === 0 || second === 0 || third === 0 || fourth === 0 || fifth === 0) return 0;
    seq = value(first);
    deadlineMs = value(second);
    handler = value(third);
    op = value(fourth);
    flags = value(fifth);
    if ((handler | op | flags) > 0xff) return 0;
    at = next(fifth);
  }
  store<u32>(row, op | (flags << 8) | (handler << 16));
  store<u32>(row, seq, 12);
  store<u32>(row, deadlineMs, 16);
  if (!isScope(op, muxId === 0) || !areKnown(flags, op)) return 0;

  const header = binHeaderAt(at);
  at = next(header);
  const payloadBytes = value(header);
  if (header === 0 || at > end || payloadBytes > <u32>(end - at) || payloadBytes > <u32>messageBytes) return 0;
  store<u32>(row, at - SCRATCH, 20);
  store<u32>(row, payloadBytes, 24);
  at += payloadBytes;
  if (op === MERGED) return (deadlineMs | handler | flags | payloadBytes) === 0 ? at : 0;
  return walkTrailers(row, start, at, end, flags) ? at : 0;
}

/** What stands behind the payload, from the end of the range inwards. */
function walkTrailers(row: i32, start: i32, at: i32, end: i32, flags: u32): bool {
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
