/** Combines the bytes by exclusive or with the four of `key`, its lowest first, again and again (RFC 6455 §5.3). */
export function mask(at: usize, length: i32, key: u32): void {
  const end = at + length;
  if (ASC_FEATURE_SIMD) {
    const keys = i32x4.splat(key);
    // four in each round: the loop itself takes longer than one
    for (; at + 64 <= end; at += 64) {
      v128.store(at, v128.xor(v128.load(at), keys));
      v128.store(at, v128.xor(v128.load(at, 16), keys), 16);
      v128.store(at, v128.xor(v128.load(at, 32), keys), 32);
      v128.store(at, v128.xor(v128.load(at, 48), keys), 48);
    }
    for (; at + 16 <= end; at += 16) v128.store(at, v128.xor(v128.load(at), keys));
  }
  const twice = (key as u64) | ((key as u64) << 32);
  for (; at + 8 <= end; at += 8) store<u64>(at, load<u64>(at) ^ twice);
  for (; at < end; at++) {
    store<u8>(at, load<u8>(at) ^ (key as u8));
    key = rotr<u32>(key, 8);
  }
}
