import { Buffer } from 'node:buffer';
import { createSecretKey, type KeyObject } from 'node:crypto';
import { isThenable } from '../calls/index.js';
import { GridError, handled } from '../errors/index.js';
import { kindOf } from './kind-of.js';

/** One shared secret, or a list of which the first signs and all verify. */
export type Secrets = string | readonly string[] | undefined;

/** Shorter secrets can be guessed (HS256 wants its key as long as its hash). */
const SECRET_BYTES = 32;

function refuse(text: string): GridError {
  return new GridError('INVALID_ARGUMENT', text);
}

/** The list. @throws GridError INVALID_ARGUMENT that says what is wrong with a secret, and shows no part of it. */
export function verifySecrets(option: string, secret: unknown): readonly string[] {
  if (secret === undefined) {
    throw refuse(`${option} is undefined; is the environment variable set? It must be a string or a list of strings`);
  }
  if (isThenable(secret)) {
    // whether it fails is of no interest any more
    void handled(secret);
    throw refuse(`${option} is a promise; wait for it, then give the string or the list`);
  }
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  if (secrets.length === 0) throw refuse(`${option} is an empty list; the first of it signs`);
  return secrets.map((one, index) => {
    const which = Array.isArray(secret) ? `${option}[${index}]` : option;
    if (typeof one !== 'string') throw refuse(`${which} is ${kindOf(one)}; it must be a string`);
    const bytes = Buffer.byteLength(one);
    if (bytes < SECRET_BYTES) throw refuse(`${which} has ${bytes} bytes; it must have at least ${SECRET_BYTES}`);
    return one;
  });
}

/** The secrets that count now. They are kept where neither a log nor a debugger's print of the grid finds them. */
export class SecretRing {
  readonly #given: Secrets | (() => Secrets);
  #keys: readonly KeyObject[];

  /** @throws GridError INVALID_ARGUMENT; a function is asked here for the first time. */
  constructor(given: Secrets | (() => Secrets)) {
    this.#given = given;
    this.#keys = this.#ask();
  }

  /** The first signs, all verify. Never empty. */
  get keys(): readonly KeyObject[] {
    return this.#keys;
  }

  /**
   * Asks the function again. What it gave before stays where its answer is wrong.
   * @throws GridError INVALID_ARGUMENT (its answer), FAILED_PRECONDITION (there is no function), or what it threw.
   */
  renew(): void {
    if (typeof this.#given !== 'function') {
      throw new GridError('FAILED_PRECONDITION', 'auth.secret is no function: there is nobody to ask for another one');
    }
    this.#keys = this.#ask();
  }

  #ask(): readonly KeyObject[] {
    const secrets =
      typeof this.#given === 'function'
        ? verifySecrets('the result of auth.secret()', this.#given())
        : verifySecrets('auth.secret', this.#given);
    return secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  }
}
