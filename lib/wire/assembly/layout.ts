/**
 * Who owns which bytes of the memory. Its size never changes: views of a memory that grows die.
 *
 *     0      constants of the compiler: the secret
 *     4096   accumulators of a hash in parts
 *     8192   table: one row for each message of a received frame
 *     …      scratch: bytes that are copied in to be hashed or walked
 *     …      slabs: frames on their way out, handed out to the write queues
 */

/** Must agree with `--initialMemory` and `--maximumMemory`, which the build takes from here: 64 KiB each. */
export const PAGES: i32 = 103;

export const ACCUMULATORS: usize = 4096;

export const TABLE: i32 = 8192;
/** Rows: a frame of more messages is left to the plain decoder. */
export const TABLE_ROWS: i32 = 4096;
/** Bytes of a row, see `frame.ts`. */
export const ROW_BYTES: i32 = 32;

export const SCRATCH: i32 = 8192 + 4096 * 32;
export const SCRATCH_BYTES: i32 = 256 * 1024;

/** From here to the end of the memory. */
export const SLABS: i32 = 8192 + 4096 * 32 + 256 * 1024;
