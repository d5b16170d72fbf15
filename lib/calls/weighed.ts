import type { GridError } from '../errors/index.js';
import type { Codec } from './codec.js';

/** A call of a peer whose payload is about to be decoded. */
export interface OpenedCall {
  readonly payload: Uint8Array | undefined;
  /** See `IncomingRequest.hold`. */
  hold(bytes: number): GridError | undefined;
}

/** Reads one payload. */
export interface WeighingReader {
  /** What the codec's `decode` gives, or throws. */
  whole(): unknown;
  /** About how many bytes of memory that takes. */
  readonly weight: number;
}

/** So much more than its payload a value may take without a word. */
const SPARE_BYTES = 4096;

const READER = Symbol('reader');

interface Twin {
  /** The function that it belongs to: one that wraps it with all that it has is another one. */
  readonly of: unknown;
  readonly reader: (payload: Uint8Array) => WeighingReader;
}

interface TaggedCodec {
  readonly decode: ((payload: Uint8Array) => unknown) & { readonly [READER]?: Twin };
}

/** A codec's `decode` whose values can be weighed. */
export function withWeight<T>(decode: (payload: Uint8Array) => T, reader: Twin['reader']): (payload: Uint8Array) => T {
  const twin: Twin = { of: decode, reader };
  return Object.defineProperty(decode, READER, { value: twin });
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
  const twin = tagged.decode[READER];
  if (twin?.of !== tagged.decode || payload.length === 0) return codec.decode(payload);
  const reader = twin.reader(payload);
  const value = reader.whole();
  const more = reader.weight - payload.length;
  const refusal = more > SPARE_BYTES ? call.hold(more) : undefined;
  if (refusal) throw refusal;
  return value;
}
