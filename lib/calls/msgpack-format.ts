/** Values may be nested this deep; hostile payloads are deeper, and so are cycles. */
export const MAX_DEPTH = 512;

/**
 * Objects that one payload may become: each map, array, byte array and extension. A byte is enough for an empty one,
 * which takes 70 bytes of memory and half a microsecond: 16 MiB of them were a gigabyte and many seconds.
 */
export const MAX_OBJECTS = 1_048_576;

/**
 * Different names of properties that one payload may have, other keys included. For each one that no object had before
 * the engine makes a shape or a place in a table of its own, which takes up to three microseconds: 16 MiB of them were
 * more than seven seconds.
 */
export const MAX_NAMES = 262_144;

/** The standard timestamp extension. */
export const TIMESTAMP_EXT = -1;
/** What Go's msgp makes of a `time.Time`: int64 seconds, int32 nanoseconds. Read only. */
export const GO_TIME_EXT = 5;

/** Extensions of `msgpack({ structured: true })`, which only this library reads. */
export const StructuredExt = Object.freeze({
  /** No content. */
  Undefined: 0x55,
  /** A sign byte (0 or 1) and the magnitude, big-endian. */
  Bigint: 0x42,
  /** Key, value, key, value, … */
  Map: 0x4d,
  /** The members. */
  Set: 0x53,
} as const);
