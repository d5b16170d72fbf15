import { GridError, handled, textOf, toGridError } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';
import type { DialTlsSource } from './dial-tls.js';
import type { OwnListener } from './own-listener.js';
import type { SecretRing } from './secret-ring.js';

/** What of a grid can be renewed while it runs. Whatever cannot be used changes nothing. */
export class Renewal {
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly logger: GridLogger,
    private readonly dialTls: DialTlsSource,
    private readonly ring: SecretRing | undefined,
    /** The listener of the grid's own, once it is open. */
    private readonly listener: () => Promise<OwnListener | undefined>,
  ) {}

  /** One after the other: what was asked for last counts in the end. The rejection needs no listener. */
  tls(): Promise<void> {
    // whatever became of the one before; who asked is told, and the log
    const renewed = handled(Promise.allSettled([this.last]).then(() => this.renewTls()));
    this.last = renewed;
    return renewed;
  }

  secret(): void {
    try {
      if (!this.ring) throw new GridError('FAILED_PRECONDITION', 'there is no secret: auth is not { secret }');
      this.ring.renew();
    } catch (error) {
      this.logger.error(`the secret is not reloaded, the one before stays: ${textOf(error)}`);
      throw error;
    }
    this.logger.log('the secret is reloaded');
  }

  private async renewTls(): Promise<void> {
    try {
      const listener = await this.listener();
      if (!this.dialTls.renewable && !listener?.renewable) {
        const text = 'neither tls nor listen.tls is a function: there is nobody to ask for other certificates';
        throw new GridError('FAILED_PRECONDITION', text);
      }
      // all of them are asked before any of them counts
      const changes = await Promise.all([this.dialTls.renewed(), listener?.renewed()]);
      for (const change of changes) change?.();
      this.logger.log('TLS is reloaded: connections from now on use it');
    } catch (foreign) {
      const error = toGridError(foreign);
      this.logger.error(`TLS is not reloaded, what was there before stays: ${error.message}`);
      throw error;
    }
  }
}
