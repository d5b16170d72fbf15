import type { GridError } from '../errors/index.js';
import { Fifo, ITEM_BYTES, unshared, type HeldBytes } from '../mux/index.js';

/** Values of one stream, as bytes, that wait for credit. A peer that gives none keeps them here: they are counted. */
export class WaitingValues {
  private readonly payloads = new Fifo<Uint8Array>();
  private bytes = 0;

  /** `account`: the peer's; none for what is sent of this host's own will. */
  constructor(private readonly account: HeldBytes | undefined) {}

  get length(): number {
    return this.payloads.length;
  }

  /** An error says that it is too much. The first one is always taken: that of a generator, which rests until then. */
  add(payload: Uint8Array): GridError | undefined {
    const bytes = payload.length + ITEM_BYTES;
    const refusal = this.length === 0 ? undefined : this.account?.refusal(bytes, 'of values wait for credit');
    if (refusal) return refusal;
    // a codec writes many values into one memory
    this.payloads.push(this.account?.crowded ? unshared(payload) : payload);
    this.bytes += bytes;
    this.account?.add(bytes);
    return undefined;
  }

  /** The oldest one, undefined when there is none. */
  shift(): Uint8Array | undefined {
    const payload = this.payloads.shift();
    if (payload === undefined) return undefined;
    this.free(payload.length + ITEM_BYTES, 1);
    return payload;
  }

  /** Nobody will send them; this is not used any more. */
  drop(): void {
    this.free(this.bytes, this.length);
  }

  private free(bytes: number, count: number): void {
    this.bytes -= bytes;
    this.account?.free(bytes, count);
  }
}
