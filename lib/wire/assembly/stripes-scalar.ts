import { ACCUMULATORS } from './layout';
import { PRIME32_1, PRIME32_2, PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME64_5 } from './prime';
import { SECRET, secretAt } from './secret';

export function start(): void {
  store<u64>(ACCUMULATORS, PRIME32_3);
  store<u64>(ACCUMULATORS, PRIME64_1, 8);
  store<u64>(ACCUMULATORS, PRIME64_2, 16);
  store<u64>(ACCUMULATORS, PRIME64_3, 24);
  store<u64>(ACCUMULATORS, PRIME64_4, 32);
  store<u64>(ACCUMULATORS, PRIME32_2, 40);
  store<u64>(ACCUMULATORS, PRIME64_5, 48);
  store<u64>(ACCUMULATORS, PRIME32_1, 56);
}

/**
 * Adds `count` stripes of 64 bytes to the eight accumulators, each stripe with the secret from 8 bytes later on. Two
 * neighbours exchange their input and no others do, so each pair goes through all stripes in registers.
 */
export function addStripes(from: usize, count: i32, secret: usize): void {
  for (let pair: usize = 0; pair < 64; pair += 16) {
    let even = load<u64>(ACCUMULATORS + pair);
    let odd = load<u64>(ACCUMULATORS + pair, 8);
    let at = from + pair;
    let key = SECRET + secret + pair;
    for (const end = at + 64 * count; at < end; at += 64) {
      const evenInput = load<u64>(at);
      const oddInput = load<u64>(at, 8);
      const evenKeyed = evenInput ^ load<u64>(key);
      const oddKeyed = oddInput ^ load<u64>(key, 8);
      even += oddInput + (evenKeyed & 0xffff_ffff) * (evenKeyed >> 32);
      odd += evenInput + (oddKeyed & 0xffff_ffff) * (oddKeyed >> 32);
      key += 8;
    }
    store<u64>(ACCUMULATORS + pair, even);
    store<u64>(ACCUMULATORS + pair, odd, 8);
  }
}

export function scramble(secret: usize): void {
  for (let lane: usize = 0; lane < 64; lane += 8) {
    const sum = load<u64>(ACCUMULATORS + lane);
    store<u64>(ACCUMULATORS + lane, (sum ^ (sum >> 47) ^ secretAt(secret + lane)) * PRIME32_1);
  }
}
