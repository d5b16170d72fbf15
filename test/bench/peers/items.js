import { randomBytes } from 'node:crypto';

const ITEM_BYTES = 512;
const items = Array.from({ length: 64 }, () => randomBytes(ITEM_BYTES));

/** The message of a stream at that place. */
export function itemPayload(index) {
  return items[index % items.length];
}

/** The number of values that an Observable gives. */
export function counted(values) {
  return new Promise((resolve, reject) => {
    let taken = 0;
    values.subscribe({ next: () => taken++, error: reject, complete: () => resolve(taken) });
  });
}
