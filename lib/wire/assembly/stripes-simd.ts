import { ACCUMULATORS } from './layout';
import { PRIME32_1 } from './prime';
import { LAST_SECRET, SECRET } from './secret';

/**
 * Adds `count` stripes of 64 bytes to the eight sums that stand at `sums`, each stripe with the secret from 8 bytes
 * later on, and after them the one at `last` with its own secret, unless that is 0. The new sums are the accumulators.
 * Each of them takes its own product and the input of its neighbour; the inputs are summed apart and change places once
 * at the end, not in each stripe: shuffles are what this loop waits for.
 */
export function addStripes(sums: usize, from: usize, count: i32, last: usize): void {
  let sum0 = v128.load(sums);
  let sum1 = v128.load(sums, 16);
  let sum2 = v128.load(sums, 32);
  let sum3 = v128.load(sums, 48);
  let inputs0 = i64x2.splat(0);
  let inputs1 = i64x2.splat(0);
  let inputs2 = i64x2.splat(0);
  let inputs3 = i64x2.splat(0);
  let key = SECRET;
  let end = from + 64 * count;
  while (true) {
    if (from === end) {
      if (last === 0) break;
      from = last;
      end = last + 64;
      last = 0;
      key = SECRET + LAST_SECRET;
    }
    const input0 = v128.load(from);
    const input1 = v128.load(from, 16);
    const keyed0 = v128.xor(input0, v128.load(key));
    const keyed1 = v128.xor(input1, v128.load(key, 16));
    inputs0 = i64x2.add(inputs0, input0);
    inputs1 = i64x2.add(inputs1, input1);
    // the lower halves of four lanes, and the upper ones: the operands of two products each
    const lower01 = v128.shuffle<i32>(keyed0, keyed1, 0, 2, 4, 6);
    const upper01 = v128.shuffle<i32>(keyed0, keyed1, 1, 3, 5, 7);
    sum0 = i64x2.add(sum0, i64x2.extmul_low_i32x4_u(lower01, upper01));
    sum1 = i64x2.add(sum1, i64x2.extmul_high_i32x4_u(lower01, upper01));

    const input2 = v128.load(from, 32);
    const input3 = v128.load(from, 48);
    const keyed2 = v128.xor(input2, v128.load(key, 32));
    const keyed3 = v128.xor(input3, v128.load(key, 48));
    inputs2 = i64x2.add(inputs2, input2);
    inputs3 = i64x2.add(inputs3, input3);
    const lower23 = v128.shuffle<i32>(keyed2, keyed3, 0, 2, 4, 6);
    const upper23 = v128.shuffle<i32>(keyed2, keyed3, 1, 3, 5, 7);
    sum2 = i64x2.add(sum2, i64x2.extmul_low_i32x4_u(lower23, upper23));
    sum3 = i64x2.add(sum3, i64x2.extmul_high_i32x4_u(lower23, upper23));
    from += 64;
    key += 8;
  }
  v128.store(ACCUMULATORS, i64x2.add(sum0, swapped(inputs0)));
  v128.store(ACCUMULATORS, i64x2.add(sum1, swapped(inputs1)), 16);
  v128.store(ACCUMULATORS, i64x2.add(sum2, swapped(inputs2)), 32);
  v128.store(ACCUMULATORS, i64x2.add(sum3, swapped(inputs3)), 48);
}

export function scramble(secret: usize): void {
  for (let lane: usize = 0; lane < 64; lane += 16) {
    const sum = v128.load(ACCUMULATORS + lane);
    const mixed = v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), v128.load(SECRET + secret + lane));
    v128.store(ACCUMULATORS + lane, i64x2.mul(mixed, i64x2.splat(PRIME32_1)));
  }
}

/** The two lanes in each other's place. */
function swapped(input: v128): v128 {
  return v128.shuffle<i64>(input, input, 1, 0);
}
