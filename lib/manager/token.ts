import * as errors from 'jose/errors';
import { SignJWT } from 'jose/jwt/sign';
import { jwtVerify } from 'jose/jwt/verify';
import { GridError, textOf } from '../errors/index.js';
import type { Clock } from '../time/index.js';
import { claim } from './claim.js';
import { SecretRing } from './secret-ring.js';

const ALGORITHM = 'HS256';
/** A token lives this long (wire spec §1). */
const LIFE_SECONDS = 15 * 60;
/** Clocks may differ by this much (wire spec §3). */
export const MOST_SKEW_MS = 5 * 60 * 1_000;

/** Whom a token is for. */
export interface TokenClaims {
  /** Origin of the dialer; undefined while only the header of an upgrade request is known. */
  readonly from: string | undefined;
  /** Origin of the acceptor. */
  readonly to: string;
}

/** Makes and checks the token that a dialer shows, anew for each dial (wire spec §1, §3). */
export interface TokenAuth {
  /**
   * The token for one dial, made within `intervals.dialTimeoutMs` of its start; the empty string: none. What it throws
   * or rejects with, or what it gives that is no string, fails that dial; the next one asks again.
   */
  sign(claims: TokenClaims & { readonly from: string }): string | Promise<string>;
  /** Throws or rejects when the token does not prove the claims. The error's text goes to the peer and into logs. */
  verify(token: string, claims: TokenClaims): void | Promise<void>;
}

/**
 * JWT over HMAC: `iss` is the dialer's origin, `aud` the acceptor's. The first secret signs, all verify; the signatures
 * are compared in constant time, by the HMAC of Web Crypto.
 */
export function secretAuth(
  secrets: SecretRing | readonly string[],
  hosts: readonly string[],
  clock: Clock,
): TokenAuth {
  const ring = secrets instanceof SecretRing ? secrets : new SecretRing(secrets);
  const seconds = (): number => Math.floor(clock.date() / 1_000);
  return {
    async sign({ from, to }) {
      return await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(from)
        .setAudience(to)
        .setIssuedAt(seconds())
        .setExpirationTime(seconds() + LIFE_SECONDS)
        .sign(ring.keys[0]!);
    },
    async verify(token, claims) {
      let failure: unknown;
      for (const key of ring.keys) {
        try {
          const { payload } = await jwtVerify(token, key, {
            algorithms: [ALGORITHM],
            issuer: claims.from ?? [...hosts],
            audience: claims.to,
            currentDate: new Date(clock.date()),
            requiredClaims: ['iat', 'exp'],
          });
          const ahead = payload.iat! * 1_000 - clock.date();
          if (ahead <= MOST_SKEW_MS) return;
          failure = new GridError('UNAUTHENTICATED', `it is from ${Math.round(ahead / 1_000)} s in the future`);
          break;
        } catch (error) {
          failure = error;
          // only a foreign signature can be right under another secret
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
        }
      }
      throw new GridError('UNAUTHENTICATED', whyRefused(failure, claims));
    },
  };
}

/** What failed, in words that hold neither the token nor a secret. */
function whyRefused(failure: unknown, claims: TokenClaims): string {
  if (failure instanceof errors.JWSSignatureVerificationFailed) return 'it was not signed with our secret';
  if (failure instanceof errors.JWTExpired) return 'it is expired';
  if (failure instanceof errors.JOSEAlgNotAllowed) return `it is not signed with ${ALGORITHM}`;
  if (failure instanceof errors.JWTClaimValidationFailed) {
    if (failure.claim === 'aud') return `it is not made for ${claims.to}`;
    if (failure.claim === 'iss') {
      if (claims.from !== undefined) return `it is not made by ${claims.from}`;
      // its signature is right: a host of ours that has another name there, or is not in the list here
      const { iss } = failure.payload;
      return `it is not made by a host of the list${typeof iss === 'string' ? `, but by ${claim(iss)}` : ''}`;
    }
    return `its claim "${failure.claim}" is missing or wrong`;
  }
  if (failure instanceof errors.JOSEError) return 'it is not a signed JWT';
  if (GridError.is(failure)) return failure.message;
  return `it could not be checked (${textOf(failure)})`;
}
