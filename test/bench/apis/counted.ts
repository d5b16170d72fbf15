import type { Observable } from 'rxjs';

/** How many values come. */
export function counted(values: Observable<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    let taken = 0;
    values.subscribe({ next: () => taken++, error: reject, complete: () => resolve(taken) });
  });
}
