import { GridError } from '../errors/index.js';
import { WasmCodec } from './wasm-codec.js';

/** Who does the work on bytes: plain TypeScript, or WebAssembly without and with SIMD. The result is the same. */
export const CODEC_NAMES = ['plain', 'scalar', 'simd'] as const;

/** Environment variable that names the one to use, for tests and to look for faults; unset: the fastest that runs. */
export const CODEC_VARIABLE = 'NESTJS_GRID_CODEC';

/** The codec of this process; undefined: the plain one, for which nothing needs to be loaded. */
export const wasmCodec: WasmCodec | undefined = loadCodec(process.env[CODEC_VARIABLE]);

/** Throws FAILED_PRECONDITION where the one that is asked for cannot run, INVALID_ARGUMENT where there is none such. */
export function loadCodec(wanted: string | undefined): WasmCodec | undefined {
  switch (wanted) {
    case undefined:
    case '':
      return fastest();
    case 'plain':
      return undefined;
    case 'scalar':
    case 'simd':
      try {
        return new WasmCodec(wanted);
      } catch (cause) {
        throw new GridError('FAILED_PRECONDITION', `${CODEC_VARIABLE} is '${wanted}': ${String(cause)}`, { cause });
      }
    default:
      throw new GridError(
        'INVALID_ARGUMENT',
        `${CODEC_VARIABLE} is '${wanted}', known are ${CODEC_NAMES.join(', ')}`,
      );
  }
}

function fastest(): WasmCodec | undefined {
  for (const name of ['simd', 'scalar'] as const) {
    try {
      return new WasmCodec(name);
    } catch {
      // the next one does the same, only slower
    }
  }
  return undefined;
}
