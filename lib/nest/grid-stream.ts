import type { Observable, Subscribable } from 'rxjs';
import type { AnswerOf, StreamContract, TakenInputOf, TakenOf } from '../calls/index.js';
import { bindHandler } from './bind-handler.js';
import type { Binding, StreamHandlerOptions } from './handler-facts.js';

/** Options of `@GridStream()`. */
export interface GridStreamOptions extends StreamHandlerOptions, Binding {}

/** What a method may return for messages of that type. One value is one message and the end. */
export type StreamResult<Out> = Many<Out> | Promise<Many<Out>>;
type Many<Out> = Out | AsyncIterable<Out> | Observable<Out>;

/**
 * Asks nothing of a method whose `@GridInput()` fits; of another one a key that names the fault. The first parameter is
 * the payload's.
 */
export type InputCheck<T extends (...args: never[]) => unknown, In> =
  Required<Parameters<T>> extends [unknown, ...infer Rest] ? Checked<Rest, In> : unknown;
type Checked<Rest extends unknown[], In> = Rest extends [infer First, ...infer More]
  ? IsInput<First, In> extends true
    ? [In] extends [never]
      ? { 'the contract takes no input, so there is nothing for @GridInput()': never }
      : AsyncIterable<In> extends First
        ? Checked<More, In>
        : { '@GridInput() gives an AsyncIterable of the input type of the contract': AsyncIterable<In> }
    : Checked<More, In>
  : unknown;

/**
 * Whether a parameter is meant for the input: types do not tell decorators. A list is, if it could hold the messages:
 * others come from decorators of the application. So may a string, and `any` is anything.
 */
type IsInput<T, In> = 0 extends 1 & T
  ? false
  : [T] extends [AsyncIterable<unknown> | Subscribable<unknown>]
    ? true
    : [T] extends [string]
      ? false
      : [T] extends [Iterable<infer Item>]
        ? [In] extends [never]
          ? false
          : [In] extends [Item]
            ? true
            : false
        : false;

/** A method decorator that checks payload (the first parameter), `@GridInput()` and result against the contract. */
export type StreamDecorator<Req, In, Out> = <T extends (payload: Req, ...rest: never[]) => StreamResult<Out>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<T> & InputCheck<T, In>,
) => void;

/**
 * A handler of streams. The caller's messages come by `@GridInput()`; what it returns are the messages to the caller.
 * An AsyncIterable is pulled, one value per credit; an Observable pushes into `outBuffer`.
 */
export function GridStream(to: number, options?: GridStreamOptions): MethodDecorator;
export function GridStream<C extends StreamContract>(
  to: C,
  options?: GridStreamOptions,
): StreamDecorator<TakenOf<C>, TakenInputOf<C>, AnswerOf<C>>;
export function GridStream(to: StreamContract | number, options?: GridStreamOptions): unknown {
  return untyped(to, options);
}

function untyped(to: StreamContract | number, options: GridStreamOptions = {}): MethodDecorator {
  return bindHandler('stream', to, options);
}

/** The same without the compiler's check, for `applyDecorators`. */
GridStream.untyped = untyped;
