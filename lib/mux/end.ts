import { GridError } from '../errors/index.js';

/** How one direction of a call ended: cleanly, or with an error. */
export interface End {
  readonly error: GridError | undefined;
}

export const CLEAN_END: End = Object.freeze({ error: undefined });

/** The end of input that the handler did not read to its end. Hardly anybody asks for the error: its stack costs. */
export class HandlerEnded implements End {
  private made: GridError | undefined = undefined;

  get error(): GridError {
    return (this.made ??= new GridError('CANCELLED', 'the handler has ended'));
  }
}
