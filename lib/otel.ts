import { types } from 'node:util';
import { Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import {
  context,
  diag,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Exception,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { finalize, tap, type Observable } from 'rxjs';
import type { GridCall, HandlerEnd, IncomingCall, KindInterceptor, OutgoingCall, ParentCall } from './calls/index.js';
import { shortened, textOf, toGridError, type GridCode, type GridError } from './errors/index.js';
import { hostnameOf, portOf, type GridManager } from './manager/index.js';
import { getGridToken, GridContext } from './nest/index.js';
import { ownToken } from './nest/own-token.js';

/** Options of `traceGrid()` and `GridTracingModule`. */
export interface GridTracing {
  /** Who makes the tracer. Default: the global one; it may be registered later. */
  readonly tracerProvider?: TracerProvider;
}

/**
 * Traces a grid: a span around each call that it makes and around each handler that it runs, joined across the hosts by
 * what the global propagator writes (W3C trace context, where the application sets no other). The span of a stream ends
 * with the stream. The returned function stops it; calls that run end their spans.
 */
export function traceGrid(
  grid: GridManager,
  { tracerProvider = trace.getTracerProvider() }: GridTracing = {},
): () => void {
  const tracing = new Tracing(tracerProvider.getTracer('nestjs-grid'));
  const forgetCalls = grid.intercept(tracing);
  const forgetHandlers = grid.interceptHandlers((call, run) => tracing.handle(call, run));
  return () => {
    forgetCalls();
    forgetHandlers();
  };
}

/** The same for a Nest app: import it beside `GridModule.forRoot(…)`. */
@Module({})
export class GridTracingModule {
  /** `grid`: the name of the grid that is traced; default: the one without a name. */
  static forRoot({ grid, ...options }: GridTracing & { readonly grid?: string } = {}): DynamicModule {
    const start = (modules: ModuleRef): OnModuleInit => ({
      onModuleInit() {
        // not by injection: a grid that is not global is not visible here
        traceGrid(modules.get(getGridToken(grid), { strict: false }), options);
      },
    });
    const provide = ownToken('tracing');
    return { module: GridTracingModule, providers: [{ provide, inject: [ModuleRef], useFactory: start }] };
  }
}

/** Value of `rpc.system` and `messaging.system`. */
const SYSTEM = 'nestjs_grid';

/** Codes that are the handler's own fault; with any other one it did what it should (as for gRPC). */
const FAULTS: ReadonlySet<GridCode> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** In place of one that could not be made: it records nothing. */
const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/** A call of ours inside of its span. */
interface Traced {
  readonly span: Span;
  readonly context: Context;
  /** The call with what its handler needs to join the trace. */
  readonly call: OutgoingCall;
}

class Tracing implements KindInterceptor {
  /** The contexts of handlers, for calls that name one as their `parent`. */
  private readonly handlers = new WeakMap<object, Context>();

  constructor(private readonly tracer: Tracer) {}

  async request(call: OutgoingCall, next: (call: OutgoingCall) => Promise<unknown>): Promise<unknown> {
    const traced = this.start(call);
    try {
      const value = await context.with(traced.context, next, undefined, traced.call);
      end(traced.span);
      return value;
    } catch (thrown) {
      endFailed(traced.span, thrown);
      throw thrown;
    }
  }

  stream(call: OutgoingCall, next: (call: OutgoingCall) => GridCall): GridCall {
    const traced = this.start(call);
    const { span } = traced;
    try {
      const stream = context.with(traced.context, next, undefined, traced.call);
      stream.done.then(
        () => end(span),
        (error: unknown) => endFailed(span, error),
      );
      return stream;
    } catch (thrown) {
      endFailed(span, thrown);
      throw thrown;
    }
  }

  send(call: OutgoingCall, next: (call: OutgoingCall) => Observable<unknown>): Observable<unknown> {
    const traced = this.start(call);
    const { span } = traced;
    try {
      return context.with(traced.context, next, undefined, traced.call).pipe(
        tap({ error: (thrown: unknown) => endFailed(span, thrown) }),
        // who unsubscribes has what it wanted; a second end of a span does nothing
        finalize(() => span.isRecording() && end(span)),
      );
    } catch (thrown) {
      endFailed(span, thrown);
      throw thrown;
    }
  }

  handle(call: IncomingCall, run: () => void): HandlerEnd {
    const traced = safely(() => this.startHandler(call)) ?? { span: NO_SPAN, context: ROOT_CONTEXT };
    this.handlers.set(call.context, traced.context);
    context.with(traced.context, run);
    return (error) => end(traced.span, error, error && FAULTS.has(error.code));
  }

  private startHandler({ kind, context: call }: IncomingCall): Pick<Traced, 'span' | 'context'> {
    const event = kind === 'event';
    // the async context here is that of the connection, which is nobody's call
    const parent = propagation.extract(ROOT_CONTEXT, call.getMetadata());
    const span = this.tracer.startSpan(
      `${event ? 'process' : 'grid'} ${call.pattern}`,
      {
        kind: event ? SpanKind.CONSUMER : SpanKind.SERVER,
        attributes: { ...attributesOf(call.pattern, event ? 'process' : undefined), ...address('client', call.peer) },
      },
      parent,
    );
    return { span, context: trace.setSpan(parent, span) };
  }

  private start(call: OutgoingCall): Traced {
    return safely(() => this.startCall(call)) ?? { span: NO_SPAN, context: context.active(), call };
  }

  private startCall(call: OutgoingCall): Traced {
    const { kind, pattern, peer, options } = call;
    const event = kind === 'event';
    const parent = this.parentOf(options.parent);
    const span = this.tracer.startSpan(
      `${event ? 'send' : 'grid'} ${pattern}`,
      {
        kind: event ? SpanKind.PRODUCER : SpanKind.CLIENT,
        attributes: { ...attributesOf(pattern, event ? 'send' : undefined), ...address('server', peer) },
      },
      parent,
    );
    const own = trace.setSpan(parent, span);
    const written: Record<string, string> = {};
    propagation.inject(own, written);
    // nothing is written where nothing is set up: then the trace of `parent` goes on as it came
    const traceContext = Object.keys(written).length > 0 ? written : options.traceContext;
    return { span, context: own, call: { ...call, options: { ...options, traceContext } } };
  }

  /** The span that runs now; without one that of the handler that the call names. */
  private parentOf(parent: ParentCall | undefined): Context {
    const active = context.active();
    if (parent === undefined || trace.getSpan(active)) return active;
    return this.handlers.get(parent instanceof GridContext ? parent.callContext : parent) ?? active;
  }
}

function attributesOf(pattern: string, event: 'send' | 'process' | undefined): Attributes {
  if (event === undefined) return { 'rpc.system': SYSTEM, 'rpc.method': pattern };
  return {
    'messaging.system': SYSTEM,
    'messaging.destination.name': pattern,
    'messaging.operation.type': event,
    'messaging.operation.name': event === 'send' ? 'emit' : 'process',
  };
}

/** The other end of a call. */
function address(role: 'server' | 'client', origin: string): Attributes {
  const url = new URL(origin);
  return { [`${role}.address`]: hostnameOf(url), [`${role}.port`]: portOf(url) };
}

/** Ends the span of a call of ours. Whoever gives a call up has not failed. */
function endFailed(span: Span, thrown: unknown): void {
  const error = toGridError(thrown);
  end(span, error, error.remote || error.code !== 'CANCELLED');
}

function end(span: Span, error?: GridError, failed = false): void {
  if (error) safely(() => recordFailure(span, error, failed));
  safely(() => span.end());
}

/** A call must not fail by what the application's samplers, processors and propagators throw. */
function safely<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    diag.error('nestjs-grid: a call is not traced', error);
    return undefined;
  }
}

function recordFailure(span: Span, error: GridError, failed: boolean): void {
  span.setAttributes({ 'rpc.response.status_code': error.code, ...(failed && { 'error.type': error.code }) });
  if (!failed) return;
  span.setStatus({ code: SpanStatusCode.ERROR, message: shortened(error.message) });
  // what was thrown: the caller may have got no more than "Internal server error"
  span.recordException(exceptionOf(types.isNativeError(error.cause) ? error.cause : error));
}

/** An exporter may hold thousands of spans for seconds. Of an error of others nothing need be a string. */
function exceptionOf(error: Error & { readonly code?: unknown }): Exception {
  const { code, name, stack } = error;
  const short = { name: String(name), message: shortened(textOf(error)), stack: shortened(String(stack ?? '')) };
  return typeof code === 'string' || typeof code === 'number' ? { ...short, code } : short;
}
