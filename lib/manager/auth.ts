import type { Clock } from '../time/index.js';
import { SecretRing, type Secrets } from './secret-ring.js';
import { secretAuth, type TokenAuth } from './token.js';

/**
 * HMAC with one shared secret of at least 32 bytes; of a list the first signs and all verify, so that it can rotate. A
 * function is asked when the grid is made, and again by `reloadSecret()`.
 */
export interface SecretAuth {
  /** Never shown: not by the grid's options, errors or logs. */
  readonly secret: Secrets | (() => Secrets);
}

/** How hosts prove who they are; `'none'` lets in whoever knows a host's name. */
export type GridAuth = SecretAuth | TokenAuth | 'none';

/** The one shape behind all three. */
export interface Auth {
  /** Undefined for `'none'`. */
  readonly token: TokenAuth | undefined;
  /** Undefined but for a shared secret. */
  readonly ring: SecretRing | undefined;
}

/** @throws GridError INVALID_ARGUMENT for what a function of `secret` gives. */
export function authOf(auth: GridAuth, hosts: readonly string[], clock: Clock): Auth {
  if (auth === 'none') return { token: undefined, ring: undefined };
  if ('sign' in auth) {
    // bound, so that who prints the grid does not print what the application keeps beside its functions
    const token: TokenAuth = { sign: (claims) => auth.sign(claims), verify: (...shown) => auth.verify(...shown) };
    return { token, ring: undefined };
  }
  const ring = new SecretRing(auth.secret);
  return { token: secretAuth(ring, hosts, clock), ring };
}
