import { Injectable } from '@nestjs/common';

/** Counts the handlers of IDs 67 and 69 from their start to their real end. */
@Injectable()
export class RunningHandlers {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Counts one more until the result is disposed of. */
  enter(): Disposable {
    this.#count++;
    return { [Symbol.dispose]: () => this.#count-- };
  }
}
