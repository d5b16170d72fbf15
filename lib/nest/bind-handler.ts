import { MessagePattern, Payload } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import {
  isContract,
  shownOption,
  verifyOptionNames,
  type RequestContract,
  type StreamContract,
} from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { gridTransport } from './grid-transport.js';
import { extrasOf, OPTION_NAMES, type Binding, type StreamHandlerOptions } from './handler-facts.js';

const CAPACITIES = ['inCapacity', 'outCapacity', 'outBuffer'] as const satisfies (keyof StreamHandlerOptions)[];
const OF_STREAMS: readonly string[] = CAPACITIES;

const NAMES: Readonly<Record<'request' | 'stream', readonly string[]>> = {
  request: ['subroute', 'grid', ...OPTION_NAMES.filter((name) => !OF_STREAMS.includes(name))],
  stream: ['subroute', 'grid', ...OPTION_NAMES],
};

/**
 * `@MessagePattern` of a contract or an ID, bound to one grid; the method's first parameter is the payload. What is
 * wrong throws when the class is made, and names the method.
 */
export function bindHandler(
  kind: 'request' | 'stream',
  to: RequestContract | StreamContract | number,
  options: StreamHandlerOptions & Binding,
): MethodDecorator {
  return (target, key, descriptor) => {
    const where = `${target.constructor.name}.${String(key)}`;
    verifyTarget(where, kind, to);
    verifyOptionNames(where, options, NAMES[kind]);
    const { subroute, grid, ...facts } = options;
    const contract = typeof to === 'number' ? undefined : to;
    const id = typeof to === 'number' ? to : to.id;
    const pattern = subroute === undefined ? id : { id, subroute };
    MessagePattern(pattern, gridTransport(grid), extrasOf(facts, { kind, contract }))(target, key, descriptor);
    givePayload(target, key);
  };
}

/** The compiler does not see JavaScript, `untyped`, nor that files which import each other have no contract yet. */
function verifyTarget(where: string, kind: 'request' | 'stream', to: unknown): void {
  if (typeof to === 'number' || (isContract(to) && to.kind === kind)) return;
  const decorator = kind === 'request' ? '@GridRequest' : '@GridStream';
  const given = isContract(to) ? `${to.name}, the contract of a ${to.kind}` : shownOption(to);
  const hint = to === undefined ? '; do two files import each other?' : '';
  const text = `${decorator}() is given ${given}; it must be a handler ID or the contract of a ${kind}${hint}`;
  throw new GridError('INVALID_ARGUMENT', `${where}: ${text}`);
}

/** As soon as one parameter is decorated Nest fills only those that are; the first one is the payload all the same. */
function givePayload(target: object, key: string | symbol): void {
  const parameters = Reflect.getMetadata(PARAM_ARGS_METADATA, target.constructor, key) as
    Record<string, { readonly index: number }> | undefined;
  if (parameters === undefined || Object.values(parameters).some(({ index }) => index === 0)) return;
  Payload()(target, key, 0);
}
