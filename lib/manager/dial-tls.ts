import type { ConnectionOptions } from 'node:tls';
import type { GridLogger } from '../observe/index.js';
import type { Inquiry } from './inquiry.js';
import type { DialTls } from './options.js';
import { OLDEST_TLS, secureContextOf } from './tls-context.js';

/**
 * The TLS options for dialing, certificate and authorities read. They are kept where a print of the grid does not find
 * them.
 */
export class DialTlsSource {
  readonly #given: DialTls | undefined;
  #options: Promise<ConnectionOptions> | undefined = undefined;
  #warned = false;

  constructor(
    given: DialTls | undefined,
    private readonly inquiry: Inquiry,
    private readonly logger: GridLogger,
  ) {
    this.#given = given;
  }

  /** Whether there is somebody to ask again. */
  get renewable(): boolean {
    return typeof this.#given === 'function';
  }

  /** For the next dial. A function that failed is asked again. */
  options(): Promise<ConnectionOptions> {
    if (!this.#options) {
      const asked = this.#ask();
      this.#options = asked;
      // the dial has the error: here it only makes room for the next question
      asked.catch(() => {
        if (this.#options === asked) this.#options = undefined;
      });
    }
    return this.#options;
  }

  /** Asks the function again; what is returned puts its answer in the place of the one before. */
  async renewed(): Promise<() => void> {
    if (!this.renewable) return () => {};
    const options = await this.#ask();
    return () => {
      this.#options = Promise.resolve(options);
    };
  }

  async #ask(): Promise<ConnectionOptions> {
    const given = this.#given;
    if (given === undefined) return { minVersion: OLDEST_TLS };
    const isFunction = typeof given === 'function';
    const options: ConnectionOptions = isFunction ? await this.inquiry.ask('tls', given) : given;
    const secureContext = secureContextOf(isFunction ? 'the result of tls()' : 'tls', options);
    const { key: _key, cert: _cert, pfx: _pfx, passphrase: _passphrase, ...others } = options;
    if (others.rejectUnauthorized === false && !this.#warned) {
      this.#warned = true;
      this.logger.warn('tls.rejectUnauthorized is false: whoever answers in the place of a peer is taken for it');
    }
    // a socket keeps the options that it was made with
    return { ...others, secureContext };
  }
}
