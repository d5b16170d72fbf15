import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ContextUtils } from '@nestjs/core/helpers/context-utils.js';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import type { HandlerSpec } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import type { GridContext } from './grid-context.js';
import type { HandlerOwner } from './handler-owners.js';

function inputOf(_: unknown, context: ExecutionContext): AsyncIterable<unknown> {
  return context.switchToRpc().getContext<GridContext>().input;
}

/**
 * The caller's messages: `@GridInput() chunks: AsyncIterable<Chunk>`. A credit goes back as each one is taken; input
 * that was cut throws, it never looks like its end. A `ValidationPipe` leaves it alone; any other pipe of the method
 * gets it too, with `metadata.type` `custom`.
 */
export const GridInput: () => ParameterDecorator = createParamDecorator(inputOf);

/** @throws GridError INVALID_ARGUMENT for a handler that asks for input and can never be given any. */
export function verifyInput(
  { name, controller, method }: HandlerOwner,
  { kind, inCapacity = 0 }: Pick<HandlerSpec, 'kind' | 'inCapacity'>,
): void {
  const takesNone = kind === 'request' || kind === 'event';
  if ((!takesNone && inCapacity > 0) || !declaresInput(controller.instance, method)) return;
  const text = takesNone
    ? `@GridInput() is for streams, and ${kind === 'event' ? 'an event' : 'a request'} has no input: ` +
      'take it away, or make it a @GridStream with an inCapacity'
    : '@GridInput() needs an inCapacity, how many messages may be under way unread: ' +
      '{ inCapacity: 16 } in the options of the handler, or inCapacity in its contract';
  throw new GridError('INVALID_ARGUMENT', `${name}: ${text}`);
}

function declaresInput(instance: object, method: string): boolean {
  const declared: Record<string, { readonly factory?: unknown }> =
    new ContextUtils().reflectCallbackMetadata(instance, method, PARAM_ARGS_METADATA) ?? {};
  return Object.values(declared).some(({ factory }) => factory === inputOf);
}
