import { MessagePattern, Payload } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { verifyOptionNames, type RequestContract, type StreamContract } from '../calls/index.js';
import { gridTransport } from './grid-transport.js';
import { extrasOf, OPTION_NAMES, type StreamHandlerOptions } from './handler-facts.js';

interface BindOptions extends StreamHandlerOptions {
  readonly subroute?: string | readonly string[];
  readonly grid?: string;
}

const CAPACITIES = ['inCapacity', 'outCapacity', 'outBuffer'] as const satisfies (keyof StreamHandlerOptions)[];
const OF_STREAMS: readonly string[] = CAPACITIES;

const NAMES: Readonly<Record<'request' | 'stream', readonly string[]>> = {
  request: ['subroute', 'grid', ...OPTION_NAMES.filter((name) => !OF_STREAMS.includes(name))],
  stream: ['subroute', 'grid', ...OPTION_NAMES],
};

/** `@MessagePattern` of a contract or an ID, bound to one grid; the method's first parameter is the payload. */
export function bindHandler(
  kind: 'request' | 'stream',
  to: RequestContract | StreamContract | number,
  options: BindOptions,
): MethodDecorator {
  const { subroute, grid, ...facts } = options;
  const contract = typeof to === 'number' ? undefined : to;
  const id = typeof to === 'number' ? to : to.id;
  const pattern = subroute === undefined ? id : { id, subroute };
  const message = MessagePattern(pattern, gridTransport(grid), extrasOf(facts, { kind, contract }));
  return (target, key, descriptor) => {
    verifyOptionNames(`${target.constructor.name}.${String(key)}`, options, NAMES[kind]);
    message(target, key, descriptor);
    givePayload(target, key);
  };
}

/** As soon as one parameter is decorated Nest fills only those that are; the first one is the payload all the same. */
function givePayload(target: object, key: string | symbol): void {
  const parameters = Reflect.getMetadata(PARAM_ARGS_METADATA, target.constructor, key) as
    Record<string, { readonly index: number }> | undefined;
  if (parameters === undefined || Object.values(parameters).some(({ index }) => index === 0)) return;
  Payload()(target, key, 0);
}
