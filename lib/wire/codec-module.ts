import { SCALAR_MODULE, SIMD_MODULE } from './generated/codec-modules.js';

/** What lib/wire/assembly/index.ts exports. Addresses are byte positions in its memory, whose size never changes. */
export interface CodecModule {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Where bytes may be copied in, and how many. */
  readonly scratch: { readonly value: number };
  readonly scratchBytes: { readonly value: number };
  /** Where `walkFrame` leaves what it found, a row for each message, and the most rows. */
  readonly table: { readonly value: number };
  readonly tableRows: { readonly value: number };
  /** From here to its end the memory belongs to outgoing frames. */
  readonly slabs: { readonly value: number };
  /** Bytes of the blocks that a hash in parts is made of. */
  readonly blockBytes: { readonly value: number };
  readonly crc: (at: number, length: number) => number;
  /** Walks the frame in the scratch area, see lib/wire/assembly/frame.ts. */
  readonly walkFrame: (length: number, messageBytes: number, frameMessages: number, extensionFlags: number) => number;
  /** See lib/wire/assembly/writer.ts. */
  readonly putHead: (
    at: number,
    muxId: number,
    seq: number,
    deadlineMs: number,
    handler: number,
    op: number,
    flags: number,
    payloadBytes: number,
  ) => number;
  readonly putCrc: (at: number, length: number) => void;
  /** See lib/wire/assembly/mask.ts. */
  readonly mask: (at: number, length: number, key: number) => void;
  readonly startCrc: () => void;
  readonly addBlocks: (at: number, count: number) => void;
  readonly finishCrc: (at: number, tail: number, length: number) => number;
}

/** The part of the WebAssembly API that is used; Node's types do not have it. */
interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** Makes an instance with a memory of its own. Throws where WebAssembly is missing or not allowed. */
export function instantiate(name: 'simd' | 'scalar'): CodecModule {
  const api = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
  if (api === undefined) throw new Error('this runtime has no WebAssembly');
  const bytes = Buffer.from(name === 'simd' ? SIMD_MODULE : SCALAR_MODULE, 'base64');
  if (name === 'simd' && !api.validate(bytes)) throw new Error('this runtime has no SIMD in WebAssembly');
  return new api.Instance(new api.Module(bytes)).exports as CodecModule;
}
