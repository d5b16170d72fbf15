import { ContextIdFactory, type ApplicationConfig, type ModulesContainer, type NestContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { RequestContext } from '@nestjs/microservices';
import { ExceptionFiltersContext } from '@nestjs/microservices/context/exception-filters-context.js';
import type { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import type { Observable } from 'rxjs';
import type { GridContext } from './grid-context.js';
import type { HandlerOwner } from './handler-owners.js';

/**
 * The exception filters of one handler, for the errors that Nest's pipeline never sees: it is done when a generator
 * has been handed out, and what the generator throws comes after that.
 */
export class HandlerFilters {
  /** Of a handler that is no provider per call: those that were set by the time that it was registered, as in Nest. */
  private readonly shared: RpcExceptionsHandler | undefined;

  constructor(
    private readonly owner: HandlerOwner,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
  ) {
    if (owner.controller.isDependencyTreeStatic()) this.shared = this.make(undefined);
  }

  /**
   * What the handler's filters make of an error: what their `catch` gave, by Nest's custom an Observable.
   * @param request What Nest knows a call of request scope by; its filters are those of that call.
   */
  catch(thrown: unknown, payload: unknown, context: GridContext, request: RequestContext | undefined): unknown {
    const host = new ExecutionContextHost([payload, context]);
    host.setType('rpc');
    const handler = this.shared ?? this.make(request);
    return handler.handle(thrown as Error, host);
  }

  private make(request: RequestContext | undefined): RpcExceptionsHandler {
    const { controller, callback, module } = this.owner;
    // all that the class asks of its container
    const container = { getModules: () => this.modules } as unknown as NestContainer;
    const [id, inquirer] = request ? [ContextIdFactory.getByRequest(request), controller.id] : [];
    const filters = new ExceptionFiltersContext(container, this.config);
    // Nest declares a handler's result, and only reads the metadata of the method
    const method = callback as (data: unknown) => Observable<unknown>;
    return filters.create(controller.instance, method, module, id, inquirer);
  }
}
