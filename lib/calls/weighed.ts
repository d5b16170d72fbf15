import type { GridError } from '../errors/index.js';
import type { Codec } from './codec.js';

/** Of what a call keeps of its peer's, and how much of that there may be. */
export interface Account {
  /** See `IncomingRequest.hold`. */
  hold(bytes: number): GridError | undefined;
}

/** A call of a peer whose payload is about to be decoded. */
export interface OpenedCall extends Account {
  readonly payload: Uint8Array | undefined;
}

/** What `decode` does, and tells the account about how many bytes of memory the value takes beyond its payload. */
type WeighedDecode = (payload: Uint8Array, account: Account) => unknown;

const WEIGHED = Symbol('weighed');

interface Twin {
  /** The function that it belongs to: one that wraps it with all that it has is another one. */
  readonly of: unknown;
  readonly decode: WeighedDecode;
}

interface TaggedCodec {
  readonly decode: ((payload: Uint8Array) => unknown) & { readonly [WEIGHED]?: Twin };
}

/** A codec's `decode` whose values can be weighed. */
export function withWeight<T>(decode: (payload: Uint8Array) => T, weighed: WeighedDecode): (payload: Uint8Array) => T {
  const twin: Twin = { of: decode, decode: weighed };
  return Object.defineProperty(decode, WEIGHED, { value: twin });
}

/**
 * The payload that a call of a peer came with; `undefined` if it has none, whatever the codec. A value may take seventy
 * times the memory of its bytes, and the handler may keep it for long: the account of the peer is told, where the codec
 * can tell.
 * @throws GridError RESOURCE_EXHAUSTED past `limits.heldBytes`; whatever the codec throws.
 */
export function decodeOpening(codec: Codec, call: OpenedCall): unknown {
  const { payload } = call;
  if (payload === undefined) return undefined;
  const tagged: TaggedCodec = codec;
  const twin = tagged.decode[WEIGHED];
  if (twin?.of !== tagged.decode || payload.length === 0) return codec.decode(payload);
  return twin.decode(payload, call);
}
