import {
  isContract,
  resolvePattern,
  shownOption,
  verifyOptionNames,
  type CallContext,
  type Codec,
  type Contract,
  type HandlerSpec,
  type Pattern,
} from '../calls/index.js';
import { GridError } from '../errors/index.js';

/** How a handler is registered with `handle`. */
export interface HandleOptions extends Partial<
  Pick<HandlerSpec, 'kind' | 'codec' | 'inCapacity' | 'outCapacity' | 'outBuffer' | 'concurrency' | 'queue' | 'owner'>
> {
  /** Parts are joined with `/`. */
  readonly subroute?: string | readonly string[];
}

const NAMES: Readonly<Record<keyof HandleOptions, true>> = {
  subroute: true,
  kind: true,
  codec: true,
  inCapacity: true,
  outCapacity: true,
  outBuffer: true,
  concurrency: true,
  queue: true,
  owner: true,
};

/** What stands in the handler table for one call of `handle`. `codec` is the grid's default. */
export function handlerSpec(
  to: Pattern | Contract,
  options: HandleOptions,
  run: (payload: never, context: CallContext) => unknown,
  codec: Codec,
): HandlerSpec {
  const contract = isContract(to) ? to : undefined;
  const pattern = contract ? contract.id : (to as Pattern);
  verifyOptionNames(`handle(${shownOption(pattern)})`, options, Object.keys(NAMES));
  const { subroute, ...facts } = options;
  const route = resolvePattern(subroute === undefined ? pattern : under(pattern, subroute));
  return { kind: 'both', codec, ...(contract && specOf(contract)), ...facts, route, run: run as HandlerSpec['run'] };
}

function under(pattern: Pattern, subroute: string | readonly string[]): Pattern {
  if (typeof pattern === 'number') return { id: pattern, subroute };
  throw new GridError('INVALID_ARGUMENT', 'the option subroute goes with a handler ID; a pattern holds its own');
}

/** What a contract says of its handler. */
export function specOf(contract: Contract): Omit<HandlerSpec, 'route' | 'run' | 'codec'> & { readonly codec?: Codec } {
  const { kind, codec, payload } = contract;
  return {
    kind,
    ...(codec && { codec }),
    ...(payload && { payloadSchema: payload }),
    ...(contract.kind === 'stream' && {
      inCapacity: contract.inCapacity,
      ...(contract.outCapacity !== undefined && { outCapacity: contract.outCapacity }),
      ...(contract.input && { inputSchema: contract.input }),
    }),
  };
}
