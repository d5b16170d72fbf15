import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { GridError, textOf } from '../errors/index.js';

/** Options that may not be lost: without them TLS is weaker, or fails where nobody looks. */
const NAMES: readonly string[] = [
  'ca',
  'cert',
  'key',
  'pfx',
  'passphrase',
  'crl',
  'ciphers',
  'minVersion',
  'maxVersion',
  'servername',
  'requestCert',
  'rejectUnauthorized',
  'checkServerIdentity',
];

/** What Node takes for a certificate among authorities: its marks have lines of their own. */
const CERTIFICATE = /^-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[ \t]*$.*?^-----END \1-----[ \t]*$/gms;
/** What a reader takes for the beginning of one. */
const BEGINNING = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
/** In front of a file as some editors write it; Node passes over it. */
const BYTE_ORDER_MARK = /^(?:\uFEFF|\u00EF\u00BB\u00BF)/;

function refuse(text: string, cause?: unknown): GridError {
  return new GridError('INVALID_ARGUMENT', text, { cause });
}

/**
 * Reads certificate, key and authorities one by one, so that the error names the one that cannot be read. Node passes
 * over what stands among the authorities and is none: who dials would trust nobody, and learn it by each dial.
 * @throws GridError INVALID_ARGUMENT that never shows a value: it may be a private key.
 */
export function verifyCredentials(option: string, tls: SecureContextOptions): void {
  verifySpelling(option, tls);
  const { ca, cert, key, pfx, passphrase } = tls;
  for (const text of pemsOf(`${option}.ca`, ca)) verifyAuthorities(`${option}.ca`, text);
  pemsOf(`${option}.cert`, cert);
  verifyPart(`${option}.cert`, { cert });
  pemsOf(`${option}.key`, key);
  verifyPart(`${option}.key`, { key, passphrase });
  verifyPart(`${option}.pfx`, { pfx, passphrase });
}

/** Node has more options than a list of ours could name, and passes over what it does not know: `Ca`. */
function verifySpelling(option: string, tls: object): void {
  for (const given of Object.keys(tls)) {
    const meant = NAMES.find((name) => name !== given && name.toLowerCase() === given.toLowerCase());
    if (meant !== undefined) throw refuse(`unknown option ${option}.${given}; Node's is ${meant}`);
  }
}

function verifyAuthorities(option: string, text: string): void {
  const begun = text.match(BEGINNING);
  if (!begun) throw refuse(`${option} cannot be used: there is no certificate in it`);
  const blocks = text.replace(BYTE_ORDER_MARK, '').match(CERTIFICATE) ?? [];
  if (blocks.length < begun.length) {
    const why = 'a certificate in it has no end, or begins or ends in the middle of a line';
    throw refuse(`${option} cannot be used: ${why}; is there a line break between two?`);
  }
  for (const block of blocks) {
    try {
      void new X509Certificate(block);
    } catch (error) {
      throw refuse(`${option} cannot be used: ${textOf(error)}`, error);
    }
  }
}

function verifyPart(option: string, part: SecureContextOptions): void {
  try {
    createSecureContext(part);
  } catch (error) {
    // of a kind that Node does not take: its text would show the value, so it is told by who reads all parts together
    if (((error as NodeJS.ErrnoException).code ?? '').startsWith('ERR_INVALID_')) return;
    throw refuse(`${option} cannot be used: ${textOf(error)}`, error);
  }
}

/** The texts of an option that takes PEM, alone or in a list. @throws GridError for one that is none: its path, say. */
function pemsOf(option: string, value: unknown): string[] {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return parts.flatMap((part) => {
    const text = textIn(part);
    if (text === undefined) return [];
    if (text.includes('-----BEGIN ')) return [text];
    throw refuse(`${option} cannot be used: it is no PEM; give the PEM itself, not its path`);
  });
}

/** Undefined for what is not given, or of no kind that Node takes. */
function textIn(part: unknown): string | undefined {
  if (typeof part === 'string') return part;
  if (ArrayBuffer.isView(part)) return Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
  // a key with a passphrase of its own
  if (typeof part === 'object' && part !== null && 'pem' in part) return textIn(part.pem);
  return undefined;
}
