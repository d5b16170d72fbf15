import { BadRequestException, Catch, ServiceUnavailableException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { LockTimeoutError } from '../lock/quorum-lock.js';
import { KeyError } from '../objects/object-path.js';
import { QuorumError } from '../objects/quorum-error.js';

/** A bad key is the client's fault; too few nodes or a key locked for too long may be better in a moment. */
@Catch(KeyError, QuorumError, LockTimeoutError)
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
