/** The upper 64 bits of the 128-bit product xor the lower 64. WebAssembly multiplies to 64 bits only. */
export function multiplyFold(a: u64, b: u64): u64 {
  const aLow = a & 0xffff_ffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffff_ffff;
  const bHigh = b >> 32;
  const bottom = aLow * bLow;
  const left = aHigh * bLow;
  // three parts of 32, 32 and 64 bits: their sum fits 64
  const middle = (bottom >> 32) + (left & 0xffff_ffff) + aLow * bHigh;
  const upper = aHigh * bHigh + (left >> 32) + (middle >> 32);
  return upper ^ ((middle << 32) | (bottom & 0xffff_ffff));
}
