import { GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { ContextUtils } from '@nestjs/core/helpers/context-utils.js';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import type { GridContext } from './grid-context.js';
import { isMarked, type HandlerOwner } from './handler-owners.js';

/** Calls a handler's method with the parameters that it declared, and nothing around it. */
export type DirectCall = (payload: unknown, context: GridContext) => unknown;

/** What a parameter decorator leaves on its method. */
interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly schema?: unknown;
}

const ENHANCERS = [GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA] as const;

/**
 * The method itself, where Nest's pipeline would do nothing but call it: no guard, interceptor, pipe or hook is set for
 * it, its controller lives as long as the app, and its parameters are the payload, the context or nothing. Undefined
 * for any other. Nest's pipeline costs five promises and more; exception filters are asked all the same, by the caller.
 */
export function directCallOf(owner: HandlerOwner, config: ApplicationConfig): DirectCall | undefined {
  const { controller, method, callback, alone } = owner;
  if (!alone || !controller.isDependencyTreeStatic() || hasGlobalEnhancers(config)) return undefined;
  const { instance } = controller;
  if (ENHANCERS.some((key) => isMarked(owner, key))) return undefined;
  const parameters = parametersOf(instance, method);
  if (!parameters) return undefined;
  if (parameters.length === 1 && parameters[0] === 'payload') return (payload) => callback.call(instance, payload);
  return (payload, context) => {
    const given = { payload, context };
    return callback.apply(
      instance,
      parameters.map((parameter) => parameter && given[parameter]),
    );
  };
}

/** What each parameter takes, by its index; undefined where one takes more than that. */
function parametersOf(instance: object, method: string): ('payload' | 'context' | undefined)[] | undefined {
  const declared: Record<string, Parameter> =
    new ContextUtils().reflectCallbackMetadata(instance, method, PARAM_ARGS_METADATA) ?? {};
  const entries = Object.entries(declared);
  // as Nest has it: without any decorator the first one is the payload
  if (entries.length === 0) return ['payload'];
  const parameters: ('payload' | 'context' | undefined)[] = [];
  for (const [key, { index, data, pipes, schema }] of entries) {
    const type = Number(key.split(':')[0]);
    if (data !== undefined || (pipes && pipes.length > 0) || schema !== undefined) return undefined;
    if (type === Number(RpcParamtype.PAYLOAD)) parameters[index] = 'payload';
    else if (type === Number(RpcParamtype.CONTEXT)) parameters[index] = 'context';
    else return undefined;
  }
  return Array.from(parameters);
}

function hasGlobalEnhancers(config: ApplicationConfig): boolean {
  const enhancers = [
    config.getGlobalGuards(),
    config.getGlobalRequestGuards(),
    config.getGlobalPipes(),
    config.getGlobalRequestPipes(),
    config.getGlobalInterceptors(),
    config.getGlobalRequestInterceptors(),
    config.getGlobalPreRequestHooks(),
  ];
  return enhancers.some((set) => set.length > 0);
}
