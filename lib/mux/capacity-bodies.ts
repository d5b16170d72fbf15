import { encodeCapacity } from '../wire/index.js';
import type { CallHandler } from './handler.js';

/** What the AckMux of a stream says of its handler (wire spec §11, `capacity`): made once for all streams of one. */
export class CapacityBodies {
  private readonly bodies = new WeakMap<CallHandler, Uint8Array>();

  /** `inCapacity`: the handler's, or 0 for a stream that takes no input for another reason. */
  bodyOf(handler: CallHandler, inCapacity: number): Uint8Array {
    const known = this.bodies.get(handler);
    if (known && inCapacity === handler.inCapacity) return known;
    const body = encodeCapacity({ in: inCapacity, out: outCapacityOf(handler) });
    if (inCapacity === handler.inCapacity) this.bodies.set(handler, body);
    return body;
  }
}

/** "less than 1 means 1" (wire spec §6). */
export function outCapacityOf({ outCapacity }: CallHandler): number {
  return Math.max(1, outCapacity);
}
