import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { toGridError } from '../errors/index.js';
import { GridContext } from './grid-context.js';
import { gridErrorOf } from './rpc-error.js';

/**
 * The last filter of the grid's own pipeline: what the application's filters left becomes a GridError while it is
 * still the error that was thrown. Nest's own last filter would keep nothing of it.
 */
@Catch()
export class GridExceptionFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): Observable<never> | Promise<void> {
    const context: unknown = host.getArgByIndex(1);
    if (context instanceof GridContext) {
      // an aborted call has no caller any more, and most likely the abort itself was thrown
      const error = context.signal.aborted ? toGridError(thrown, 'INTERNAL') : gridErrorOf(thrown);
      return throwError(() => error);
    }
    // a process without HTTP has one list of filters for all that it runs, so a gateway's errors come by too
    if (host.getType() === 'ws') return leaveToGateway(thrown, host);
    throw thrown;
  }
}

async function leaveToGateway(thrown: unknown, host: ArgumentsHost): Promise<void> {
  const { BaseWsExceptionFilter } = await import('@nestjs/websockets');
  new BaseWsExceptionFilter().catch(thrown, host);
}
