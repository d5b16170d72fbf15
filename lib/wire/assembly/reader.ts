/**
 * Reads MessagePack. What was read comes as one number: where it ends in the upper half, its value in the lower one, 0
 * for what is unusual or wrong: the plain decoder tells. Whether it lies in the frame at all is the caller's to see.
 */

/** Where it ends. */
@inline
export function next(read: u64): i32 {
  return (read >> 32) as i32;
}

@inline
export function value(read: u64): u32 {
  return read as u32;
}

/** A non-negative integer of any width, up to 2^32. */
@inline
export function uintAt(at: i32): u64 {
  const tag = load<u8>(at) as u32;
  return tag < 0x80 ? found(at + 1, tag) : longUintAt(at, tag);
}

function longUintAt(at: i32, tag: u32): u64 {
  switch (tag) {
    case 0xcc:
      return found(at + 2, load<u8>(at, 1));
    case 0xcd:
      return found(at + 3, bswap<u16>(load<u16>(at, 1)));
    case 0xce:
      return found(at + 5, bswap<u32>(load<u32>(at, 1)));
    case 0xcf:
      return load<u32>(at, 1) === 0 ? found(at + 9, bswap<u32>(load<u32>(at, 5))) : 0;
    default:
      return 0;
  }
}

/** The header of a binary: the value is its length. */
export function binHeaderAt(at: i32): u64 {
  switch (load<u8>(at)) {
    case 0xc4:
      return found(at + 2, load<u8>(at, 1));
    case 0xc5:
      return found(at + 3, bswap<u16>(load<u16>(at, 1)));
    case 0xc6:
      return found(at + 5, bswap<u32>(load<u32>(at, 1)));
    default:
      return 0;
  }
}

@inline
function found(end: i32, value: u32): u64 {
  return ((end as u64) << 32) | (value as u64);
}
