import type { Observable } from 'rxjs';
import type { AnswerOf, RequestContract, TakenOf } from '../calls/index.js';
import { bindHandler } from './bind-handler.js';
import type { Binding, HandlerOptions } from './handler-facts.js';

/** Options of `@GridRequest()`. */
export interface GridRequestOptions extends HandlerOptions, Binding {}

/** What a method may return for an answer of that type. */
export type RequestResult<Res> = Res | Promise<Res> | Observable<Res>;

/** A method decorator that checks the method's payload (its first parameter) and its result against the contract. */
export type RequestDecorator<Req, Res> = <T extends (payload: Req, ...rest: never[]) => RequestResult<Res>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void;

/**
 * A handler that gives exactly one answer. With a contract the payload, the method's first parameter, and the result
 * are checked by the compiler.
 */
export function GridRequest(to: number, options?: GridRequestOptions): MethodDecorator;
export function GridRequest<C extends RequestContract>(
  to: C,
  options?: GridRequestOptions,
): RequestDecorator<TakenOf<C>, AnswerOf<C>>;
export function GridRequest(to: RequestContract | number, options?: GridRequestOptions): unknown {
  return untyped(to, options);
}

function untyped(to: RequestContract | number, options: GridRequestOptions = {}): MethodDecorator {
  return bindHandler('request', to, options);
}

/** The same without the compiler's check, for `applyDecorators`. */
GridRequest.untyped = untyped;
