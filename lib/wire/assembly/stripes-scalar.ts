import { ACCUMULATORS } from './layout';
import { PRIME32_1 } from './prime';
import { LAST_SECRET, SECRET, secretAt } from './secret';

/**
 * Adds `count` stripes of 64 bytes to the eight sums that stand at `sums`, each stripe with the secret from 8 bytes
 * later on, and after them the one at `last` with its own secret, unless that is 0. The new sums are the accumulators.
 * Two neighbours exchange their input and no others do, so each pair goes through all stripes in registers.
 */
export function addStripes(sums: usize, from: usize, count: i32, last: usize): void {
  for (let pair: usize = 0; pair < 64; pair += 16) {
    let even = load<u64>(sums + pair);
    let odd = load<u64>(sums + pair, 8);
    let at = from + pair;
    let key = SECRET + pair;
    let end = at + 64 * count;
    let rest = last;
    while (true) {
      if (at === end) {
        if (rest === 0) break;
        at = rest + pair;
        end = at + 64;
        rest = 0;
        key = SECRET + LAST_SECRET + pair;
      }
      const evenInput = load<u64>(at);
      const oddInput = load<u64>(at, 8);
      const evenKeyed = evenInput ^ load<u64>(key);
      const oddKeyed = oddInput ^ load<u64>(key, 8);
      even += oddInput + (evenKeyed & 0xffff_ffff) * (evenKeyed >> 32);
      odd += evenInput + (oddKeyed & 0xffff_ffff) * (oddKeyed >> 32);
      at += 64;
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
