/**
 * Who owns which bytes of the memory, whose size is set in build.js and never changes: views of a memory that grows
 * die.
 *
 *     0      constants of the compiler: the secret
 *     4096   accumulators of a long hash
 *     8192   table: one row for each message of a received frame
 *     …      scratch: bytes that are copied in to be hashed or walked
 *     …      slabs: frames on their way out, handed out to the write queues
 */
export const ACCUMULATORS: usize = 4096;

export const TABLE: i32 = 8192;
/** A frame of more messages is left to the plain decoder. */
export const TABLE_ROWS: i32 = 4096;
/** See frame.ts. */
export const ROW_BYTES: i32 = 32;

export const SCRATCH: i32 = TABLE + TABLE_ROWS * ROW_BYTES;
export const SCRATCH_BYTES: i32 = 256 * 1024;

/** From here to the end of the memory. */
export const SLABS: i32 = SCRATCH + SCRATCH_BYTES;
