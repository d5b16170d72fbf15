import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

cryptoProvider.set(webcrypto);

/** What a host shows, as PEM. */
export interface HostCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface HostCertificateOptions {
  /** Milliseconds from now to its end; negative: it is expired. Default: an hour. */
  readonly endsInMs?: number;
  /** Default: some name that is none of a host. */
  readonly commonName?: string;
}

/** An authority of a test: P-256, made anew for each run and forgotten with it. */
export class Authority {
  private constructor(
    private readonly certificate: X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async found(name: string): Promise<Authority> {
    const keys = await keyPair();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - HOUR_MS),
      notAfter: new Date(Date.now() + HOUR_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new Authority(certificate, keys);
  }

  /** As PEM. */
  get ca(): string {
    return this.certificate.toString('pem');
  }

  /** A certificate whose subjectAltName holds the names and addresses; for none it has no such extension. */
  async certify(
    hosts: readonly string[],
    { endsInMs = HOUR_MS, commonName = 'somebody' }: HostCertificateOptions = {},
  ): Promise<HostCertificate> {
    const keys = await keyPair();
    const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }));
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${commonName}`,
      issuer: this.certificate.subject,
      notBefore: new Date(Date.now() - 2 * HOUR_MS),
      notAfter: new Date(Date.now() + endsInMs),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: certificate.toString('pem'), key: PemConverter.encode(pkcs8, 'PRIVATE KEY') };
  }
}

async function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** Positive, as it must be. */
function serial(): string {
  return `01${randomBytes(8).toString('hex')}`;
}
