import type { Readable } from 'node:stream';
import type { Observable } from 'rxjs';
import type { CallContext } from './call-context.js';
import type { CallOptions, StreamOptions } from './call-options.js';
import type { Codec } from './codec.js';
import { verifyContractFacts } from './contract-facts.js';
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.js';

interface ContractBase {
  /** Handler ID, 1 to 253. */
  readonly id: number;
  /** Stands in errors and statistics. */
  readonly name: string;
  // with `undefined`, here and below: it is the type of what the facts of a contract leave out
  /** Default: the codec of the grid. */
  readonly codec?: Codec | undefined;
  /** Checked at the handler side before the handler runs; a payload that fails is INVALID_ARGUMENT with the paths. */
  readonly payload?: StandardSchema | undefined;
}

/**
 * One request, one answer. Made by `defineRequest`, shared by both ends. `Req` is what callers send, `Res` what
 * handlers give; what the schemas make of them, if they change values, is in the types of the schemas.
 */
export interface RequestContract<Req = unknown, Res = unknown> extends ContractBase {
  readonly kind: 'request';
  /** Types the answer; not checked at the handler side, whose own code made it. Callers with `validate` use it. */
  readonly result?: StandardSchema | undefined;
  /** Never there at run time: carries the types. No symbol, for two copies of the package would not share it. */
  readonly '~types'?: { readonly req: Req; readonly res: Res };
}

/**
 * A stream of messages, either way or both. Made by `defineStream`, shared by both ends. `Req` and `In` are what
 * callers send, `Out` is what handlers give, as with requests.
 */
export interface StreamContract<Req = unknown, In = unknown, Out = unknown> extends ContractBase {
  readonly kind: 'stream';
  /** Each message of the caller is checked by it at the handler side; one that fails ends the input with an error. */
  readonly input?: StandardSchema | undefined;
  /** Types the messages of the handler; not checked at the handler side. Callers with `validate` use it. */
  readonly output?: StandardSchema | undefined;
  /** Messages to the handler that may be unacknowledged; 0, the default: the stream takes no input. */
  readonly inCapacity: number;
  /** Messages to the caller that may be unacknowledged; default 32. */
  readonly outCapacity?: number | undefined;
  /** As with requests. */
  readonly '~types'?: { readonly req: Req; readonly in: In; readonly out: Out };
}

/** What `defineRequest` and `defineStream` make. */
export type Contract = RequestContract | StreamContract;

/** The contracts that `ClientProxy.send` can call: it gives no input. */
export type SendableContract = RequestContract | StreamContract<unknown, never>;
/** What callers of such a contract send. */
export type PayloadOf<C extends Contract> =
  C extends RequestContract<infer Req> ? Req : C extends StreamContract<infer Req> ? Req : never;
/** What handlers get: what the schema makes of what was sent. */
export type TakenOf<C extends Contract> = C extends { readonly payload: infer S extends StandardSchema }
  ? OutputOf<S>
  : PayloadOf<C>;
/** Each message of the input, as callers send it. */
export type InputMessageOf<C extends StreamContract> = C extends StreamContract<unknown, infer In> ? In : never;
/** The same as handlers get it. */
export type TakenInputOf<C extends StreamContract> = C extends { readonly input: infer S extends StandardSchema }
  ? OutputOf<S>
  : InputMessageOf<C>;
/** One answer, or each message of a stream, as handlers give them and as callers get them that do not check. */
export type AnswerOf<C extends Contract> =
  C extends RequestContract<unknown, infer Res>
    ? Res
    : C extends StreamContract<unknown, unknown, infer Out>
      ? Out
      : never;

/** The same for a caller: with `validate` it gets what the schema makes of what the handler gave. */
export type GivenAnswer<C extends Contract, Validate extends boolean> = Validate extends true
  ? C extends { readonly kind: 'request'; readonly result: infer S extends StandardSchema }
    ? OutputOf<S>
    : C extends { readonly kind: 'stream'; readonly output: infer S extends StandardSchema }
      ? OutputOf<S>
      : AnswerOf<C>
  : AnswerOf<C>;

/** A function that answers the calls of a contract. */
export type ContractHandler<C extends Contract> =
  C extends RequestContract<unknown, infer Res>
    ? (payload: TakenOf<C>, context: CallContext) => Res | Promise<Res> | Observable<Res>
    : C extends StreamContract<unknown, unknown, infer Out>
      ? (
          payload: TakenOf<C>,
          context: CallContext<TakenInputOf<C>>,
        ) => AsyncIterable<Out> | Observable<Out> | Readable | Out | Promise<Out>
      : never;

type RequestFacts = Pick<ContractBase, 'id' | 'name' | 'codec'>;

type StreamFacts<In> = RequestFacts &
  Pick<StreamContract, 'outCapacity'> &
  ([In] extends [never] ? { readonly inCapacity?: 0 } : { readonly inCapacity: number });

/** What a payload of that type looks like in an argument list: it may be left out only if it may be `undefined`. */
export type PayloadArgs<Req, Options = CallOptions> = [Req] extends [never]
  ? [payload?: undefined, options?: Options]
  : undefined extends Req
    ? [payload?: NoInfer<Req>, options?: Options]
    : void extends Req
      ? [payload?: undefined, options?: Options]
      : [payload: NoInfer<Req>, options?: Options];

/**
 * What no contract is: the compiler says so where a payload is left out. Without it the one signature with so few
 * arguments would be that of patterns, and its words that a contract is none.
 */
export interface NeedsPayload<Req> {
  readonly 'the contract needs a payload': Req;
}

/** The arguments of `stream()` for a contract, which alone says what the input is: `input` has to fit it. */
export type StreamArgs<Req, In, Validate extends boolean = boolean> = PayloadArgs<
  Req,
  StreamOptions<NoInfer<In>, Validate>
>;

/** The type on the caller's side of a schema, `Else` where there is none. */
type Into<S, Else> = S extends StandardSchema ? InputOf<S> : Else;

/**
 * The contract of a single request: `defineRequest<InfoRequest, Info>({ id: 9, name: 'disk.info' })`, or with schemas
 * (any Standard Schema) from which the types are taken: `defineRequest({ id, name, payload, result })`.
 * @throws GridError INVALID_ARGUMENT that names the contract, for a wrong fact or one that it does not know.
 */
export function defineRequest<Req = void, Res = unknown>(
  facts: RequestFacts & { readonly payload?: undefined; readonly result?: undefined },
): RequestContract<Req, Res>;
/** The same, typed by a schema of the payload, which is checked, and one of the result, which is not. */
export function defineRequest<
  P extends StandardSchema | undefined = undefined,
  R extends StandardSchema | undefined = undefined,
>(
  facts: RequestFacts & { readonly payload?: P; readonly result?: R },
): RequestContract<Into<P, void>, Into<R, unknown>> & { readonly payload: P; readonly result: R };
export function defineRequest(
  facts: RequestFacts & {
    readonly payload?: StandardSchema | undefined;
    readonly result?: StandardSchema | undefined;
  },
): RequestContract {
  verifyContractFacts('request', facts);
  return Object.freeze({ ...facts, kind: 'request' });
}

/**
 * The contract of a stream: `defineStream<WalkRequest, never, Entry>({ id: 7, name: 'walk.dir', outCapacity: 64 })`,
 * or with schemas: `defineStream({ id, name, payload, input, output, inCapacity: 16 })`. A stream that takes input
 * must say how much of it may be under way: `inCapacity`.
 * @throws GridError INVALID_ARGUMENT as `defineRequest` does.
 */
export function defineStream<Req = void, In = never, Out = unknown>(
  facts: StreamFacts<In> & { readonly payload?: undefined; readonly input?: undefined; readonly output?: undefined },
): StreamContract<Req, In, Out>;
/** The same, typed by schemas; payload and input are checked by them. Without one of `input` it takes none. */
export function defineStream<
  P extends StandardSchema | undefined = undefined,
  I extends StandardSchema | undefined = undefined,
  O extends StandardSchema | undefined = undefined,
>(
  facts: StreamFacts<Into<I, never>> & {
    readonly payload?: P;
    readonly input?: I;
    readonly output?: O;
  },
): StreamContract<Into<P, void>, Into<I, never>, Into<O, unknown>> & {
  readonly payload: P;
  readonly input: I;
  readonly output: O;
};
export function defineStream(
  facts: RequestFacts & {
    readonly payload?: StandardSchema | undefined;
    readonly input?: StandardSchema | undefined;
    readonly output?: StandardSchema | undefined;
    readonly inCapacity?: number | undefined;
    readonly outCapacity?: number | undefined;
  },
): StreamContract {
  verifyContractFacts('stream', facts);
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
