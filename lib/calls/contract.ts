import type { Readable } from 'node:stream';
import type { Observable } from 'rxjs';
import type { CallContext } from './call-context.js';
import type { CallOptions, StreamOptions } from './call-options.js';
import type { Codec } from './codec.js';
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.js';

/** Never there at run time: carries the types of a contract. */
declare const types: unique symbol;

interface ContractBase {
  /** Handler ID, 1 to 253. */
  readonly id: number;
  /** Stands in errors and statistics. */
  readonly name: string;
  /** Default: the codec of the grid. */
  readonly codec?: Codec;
  /** Checked at the handler side before the handler runs; a payload that fails is INVALID_ARGUMENT with the paths. */
  readonly payload?: StandardSchema;
}

/** One request, one answer. Made by `defineRequest`, shared by both ends. */
export interface RequestContract<Req = unknown, Res = unknown> extends ContractBase {
  readonly kind: 'request';
  /** Types the answer; not checked at the handler side, whose own code made it. */
  readonly result?: StandardSchema;
  readonly [types]?: { readonly req: Req; readonly res: Res };
}

/** A stream of messages, either way or both. Made by `defineStream`, shared by both ends. */
export interface StreamContract<Req = unknown, In = unknown, Out = unknown> extends ContractBase {
  readonly kind: 'stream';
  /** Each message of the caller is checked by it at the handler side; one that fails ends the input with an error. */
  readonly input?: StandardSchema;
  /** Types the messages of the handler. */
  readonly output?: StandardSchema;
  /** Messages to the handler that may be unacknowledged; 0, the default: the stream takes no input. */
  readonly inCapacity: number;
  /** Messages to the caller that may be unacknowledged; default 32. */
  readonly outCapacity?: number;
  readonly [types]?: { readonly req: Req; readonly in: In; readonly out: Out };
}

export type Contract = RequestContract | StreamContract;

/** The contracts that `ClientProxy.send` can call: it gives no input. */
export type SendableContract = RequestContract | StreamContract<unknown, never>;
export type PayloadOf<C extends Contract> =
  C extends RequestContract<infer Req> ? Req : C extends StreamContract<infer Req> ? Req : never;
/** One answer, or each message of a stream. */
export type AnswerOf<C extends Contract> =
  C extends RequestContract<unknown, infer Res>
    ? Res
    : C extends StreamContract<unknown, unknown, infer Out>
      ? Out
      : never;

/** A function that answers the calls of a contract. */
export type ContractHandler<C extends Contract> =
  C extends RequestContract<infer Req, infer Res>
    ? (payload: Req, context: CallContext) => Res | Promise<Res> | Observable<Res>
    : C extends StreamContract<infer Req, infer In, infer Out>
      ? (payload: Req, context: CallContext<In>) => AsyncIterable<Out> | Observable<Out> | Readable | Out | Promise<Out>
      : never;

interface RequestFacts {
  readonly id: number;
  readonly name: string;
  readonly codec?: Codec;
}

type StreamFacts<In> = RequestFacts & {
  readonly outCapacity?: number;
} & ([In] extends [never] ? { readonly inCapacity?: 0 } : { readonly inCapacity: number });

/** What a payload of that type looks like in an argument list: it may be left out only if it may be `undefined`. */
export type PayloadArgs<Req, Options = CallOptions> = [Req] extends [never]
  ? [payload?: undefined, options?: Options]
  : undefined extends Req
    ? [payload?: NoInfer<Req>, options?: Options]
    : void extends Req
      ? [payload?: undefined, options?: Options]
      : [payload: NoInfer<Req>, options?: Options];

/** The arguments of `stream()` for a contract, which alone says what the input is: `input` has to fit it. */
export type StreamArgs<Req, In> = PayloadArgs<Req, StreamOptions<NoInfer<In>>>;

/**
 * The contract of a single request: `defineRequest<InfoRequest, Info>({ id: 9, name: 'disk.info' })`, or with schemas
 * (any Standard Schema) from which the types are taken: `defineRequest({ id, name, payload, result })`.
 */
export function defineRequest<Req = void, Res = unknown>(
  facts: RequestFacts & { readonly payload?: undefined; readonly result?: undefined },
): RequestContract<Req, Res>;
export function defineRequest<P extends StandardSchema, R extends StandardSchema = StandardSchema>(
  facts: RequestFacts & { readonly payload: P; readonly result?: R },
): RequestContract<InputOf<P>, OutputOf<R>>;
export function defineRequest<R extends StandardSchema>(
  facts: RequestFacts & { readonly payload?: undefined; readonly result: R },
): RequestContract<void, OutputOf<R>>;
export function defineRequest(
  facts: RequestFacts & { readonly payload?: StandardSchema; readonly result?: StandardSchema },
): RequestContract {
  return Object.freeze({ ...facts, kind: 'request' });
}

/**
 * The contract of a stream: `defineStream<WalkRequest, never, Entry>({ id: 7, name: 'walk.dir', outCapacity: 64 })`,
 * or with schemas: `defineStream({ id, name, payload, input, output, inCapacity: 16 })`. A stream that takes input
 * must say how much of it may be under way: `inCapacity`.
 */
export function defineStream<Req = void, In = never, Out = unknown>(
  facts: StreamFacts<In> & { readonly payload?: undefined; readonly input?: undefined; readonly output?: undefined },
): StreamContract<Req, In, Out>;
export function defineStream<
  P extends StandardSchema | undefined = undefined,
  I extends StandardSchema | undefined = undefined,
  O extends StandardSchema | undefined = undefined,
>(
  facts: StreamFacts<I extends StandardSchema ? InputOf<I> : never> & {
    readonly payload?: P;
    readonly input?: I;
    readonly output?: O;
  },
): StreamContract<
  P extends StandardSchema ? InputOf<P> : void,
  I extends StandardSchema ? InputOf<I> : never,
  O extends StandardSchema ? OutputOf<O> : unknown
>;
export function defineStream(
  facts: RequestFacts & {
    readonly payload?: StandardSchema;
    readonly input?: StandardSchema;
    readonly output?: StandardSchema;
    readonly inCapacity?: number;
    readonly outCapacity?: number;
  },
): StreamContract {
  return Object.freeze({ ...facts, inCapacity: facts.inCapacity ?? 0, kind: 'stream' });
}

/** Tells a contract from a pattern. */
export function isContract(to: unknown): to is Contract {
  return (
    typeof to === 'object' &&
    to !== null &&
    'kind' in to &&
    (to.kind === 'request' || to.kind === 'stream') &&
    'name' in to
  );
}
