import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { types } from 'node:util';
import { GridError, textOf } from '../errors/index.js';
import { verifyCredentials } from './credentials.js';
import { kindOf } from './kind-of.js';

/** The oldest version that is spoken, either way: those before it are broken (RFC 8996). */
export const OLDEST_TLS = 'TLSv1.2';
const VERSIONS: readonly unknown[] = [OLDEST_TLS, 'TLSv1.3'];

/** Whether a connection of that version, as `TLSSocket.getProtocol()` names it, is refused. */
export function isTooOld(protocol: string | null): boolean {
  return !VERSIONS.includes(protocol);
}

function refuse(text: string, cause?: unknown): GridError {
  return new GridError('INVALID_ARGUMENT', text, { cause });
}

/**
 * What Node makes of TLS options: certificate, key and authorities read, versions from `OLDEST_TLS` on.
 * @throws GridError INVALID_ARGUMENT that names the option and never shows its value: it may be a private key.
 */
export function secureContextOf(option: string, tls: unknown): SecureContext {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw refuse(`${option} is ${kindOf(tls)}; it must be Node's TLS options`);
  }
  const options = tls as SecureContextOptions & { readonly secureContext?: unknown };
  const { minVersion = OLDEST_TLS, maxVersion } = options;
  // both hide the versions that they allow
  for (const name of ['secureProtocol', 'secureContext'] as const) {
    if (options[name] === undefined) continue;
    throw refuse(`${option}.${name} cannot be used; give cert, key, ca, minVersion and maxVersion in its place`);
  }
  for (const [name, version] of Object.entries({ minVersion, maxVersion: maxVersion ?? 'TLSv1.3' })) {
    if (VERSIONS.includes(version)) continue;
    const shown = typeof version === 'string' && /^TLSv[\d.]{1,4}$/.test(version) ? `'${version}'` : kindOf(version);
    throw refuse(`${option}.${name} is ${shown}; it must be ${VERSIONS.map((allowed) => `'${allowed}'`).join(' or ')}`);
  }
  if (maxVersion !== undefined && minVersion > maxVersion) {
    throw refuse(`${option}.minVersion is '${minVersion}', later than ${option}.maxVersion, '${maxVersion}'`);
  }
  if (options.cert !== undefined && options.key === undefined) throw refuse(`${option} has cert, but no key`);
  verifyCredentials(option, options);
  try {
    return createSecureContext({ ...options, minVersion });
  } catch (error) {
    throw unreadable(option, error);
  }
}

/** Node's complaints about the kind of a value show the value; those of OpenSSL tell only what is wrong with it. */
function unreadable(option: string, error: unknown): GridError {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (types.isNativeError(error) && !code.startsWith('ERR_INVALID_')) {
    return refuse(`${option} cannot be used: ${textOf(error)}`, error);
  }
  const [, part] = /"?options\.(\w+)"?/.exec(textOf(error)) ?? [];
  return refuse(`${option}${part === undefined ? '' : `.${part}`} is not of a kind that Node takes`);
}
