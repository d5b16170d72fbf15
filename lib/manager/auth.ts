import type { Clock } from '../time/index.js';
import { secretAuth, type TokenAuth } from './token.js';

/**
 * HMAC with one shared secret of at least 32 bytes; of a list the first signs and all verify, so that it can rotate.
 */
export interface SecretAuth {
  readonly secret: string | readonly string[] | undefined;
}

/** How hosts prove who they are; `'none'` lets in whoever knows a host's name. */
export type GridAuth = SecretAuth | TokenAuth | 'none';

/** The one shape behind all three; undefined for `'none'`. */
export function tokenAuthOf(auth: GridAuth, hosts: readonly string[], clock: Clock): TokenAuth | undefined {
  if (auth === 'none') return undefined;
  if ('sign' in auth) return auth;
  const secrets = typeof auth.secret === 'string' ? [auth.secret] : (auth.secret ?? []);
  return secretAuth(secrets, hosts, clock);
}
