import { BadRequestException, Catch, ServiceUnavailableException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { LockLostError, LockTimeoutError } from '../lock/quorum-lock.js';
import { ContentError } from '../objects/content.js';
import { KeyError } from '../objects/object-path.js';
import { QuorumError } from '../objects/quorum-error.js';

/** A bad key is the client's fault; too few nodes, or a lock that is not to be had or kept, is so for a moment only. */
@Catch(KeyError, QuorumError, LockTimeoutError, LockLostError, ContentError)
export class ObjectErrorsFilter extends BaseExceptionFilter {
  override catch(error: Error, host: ArgumentsHost): void {
    super.catch(
      error instanceof KeyError
        ? new BadRequestException(error.message)
        : new ServiceUnavailableException(error.message),
      host,
    );
  }
}
