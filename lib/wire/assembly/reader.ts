/** Reads MessagePack within [at, end) of the memory. What it cannot read is unusual or wrong: the plain decoder tells. */
export let at: i32 = 0;
export let end: i32 = 0;

/** The integer that was read last. */
export let low: u32 = 0;
export let high: u32 = 0;

export function setRange(from: i32, to: i32): void {
  at = from;
  end = to;
}

/** A non-negative integer of any unsigned width, into `low` and `high`. */
export function readUint(): bool {
  const tag = load<u8>(at) as u32;
  if (tag < 0x80) {
    low = tag;
    high = 0;
    at += 1;
    return at <= end;
  }
  high = 0;
  switch (tag) {
    case 0xcc:
      low = load<u8>(at, 1);
      at += 2;
      break;
    case 0xcd:
      low = bswap<u16>(load<u16>(at, 1));
      at += 3;
      break;
    case 0xce:
      low = bswap<u32>(load<u32>(at, 1));
      at += 5;
      break;
    case 0xcf:
      high = bswap<u32>(load<u32>(at, 1));
      low = bswap<u32>(load<u32>(at, 5));
      at += 9;
      break;
    default:
      return false;
  }
  return at <= end;
}

/** One up to `max`, into `low`. */
export function readUintTo(max: u32): bool {
  return readUint() && high === 0 && low <= max;
}

/** The header of a binary whose bytes are all there: its length into `low`. */
export function readBinHeader(): bool {
  switch (load<u8>(at)) {
    case 0xc4:
      low = load<u8>(at, 1);
      at += 2;
      break;
    case 0xc5:
      low = bswap<u16>(load<u16>(at, 1));
      at += 3;
      break;
    case 0xc6:
      low = bswap<u32>(load<u32>(at, 1));
      at += 5;
      break;
    default:
      return false;
  }
  return at <= end && low <= <u32>(end - at);
}
