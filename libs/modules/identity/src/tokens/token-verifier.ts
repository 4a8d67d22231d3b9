import { createHash } from 'node:crypto';
import type { Principal } from '@holdfast/kernel';
import { MalformedBody, parseStrictJson } from '@holdfast/http';
import { counter } from '@holdfast/observability';
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { IssuerUnavailable } from './tokens.errors';
import { OidcIssuer, type TrustedIssuer } from './oidc-issuer';

/** The same limit as that of every credential; tokens of a person in a hundred groups have about 4 KiB. */
const TOKEN_MAX = 8_192;
const SHAPE = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;
/** An access token (RFC 9068), or a JWT of an issuer that is older; never what is made for another purpose, as a logout token. */
const TYP = /^(?:application\/)?(?:at\+)?jwt$/i;

const refusals = counter({
  name: 'holdfast_token_refusals_total',
  help: 'JWTs that were refused, by reason: what the caller is not told.',
  labels: ['reason'],
});

const headerSchema = z.looseObject({ typ: z.string().optional() });
const claimsSchema = z.looseObject({
  iss: z.string(),
  /** Stored beside memberships: of the length that OpenID Connect gives it, and without control characters. */
  sub: z
    .string()
    .min(1)
    .max(255)
    .regex(/^\P{Cc}+$/u),
});

/**
 * Verifies JWTs of the issuers that the configuration trusts.
 *
 * Only the issuer's own keys count: whatever else a header offers (`jwk`, `jku`, `x5u`, a path for a `kid`) is not looked
 * at. Every token that is not right is undefined, whatever is wrong with it; the reason is counted for the operator.
 */
export class TokenVerifier {
  private readonly issuers: ReadonlyMap<string, OidcIssuer>;

  constructor(trusted: readonly TrustedIssuer[]) {
    this.issuers = new Map(trusted.map((trust) => [trust.issuer, new OidcIssuer(trust)]));
  }

  /** The addresses of the trusted issuers. */
  get trusted(): readonly string[] {
    return [...this.issuers.keys()];
  }

  /** Whom the token is about, or undefined. Throws IssuerUnavailable when its issuer's keys cannot be read. */
  async verify(token: string): Promise<Principal | undefined> {
    try {
      return await this.principalOf(token);
    } catch (error) {
      if (error instanceof IssuerUnavailable) throw error;
      refusals.inc({ reason: reasonOf(error) });
      return undefined;
    }
  }

  private async principalOf(token: string): Promise<Principal> {
    const [, header = '', claims = ''] = (token.length <= TOKEN_MAX && SHAPE.exec(token)) || [];
    const { typ } = headerSchema.parse(strictly(header));
    const { iss, sub } = claimsSchema.parse(strictly(claims));
    const issuer = this.issuers.get(iss);
    if (!issuer) throw new errors.JWTClaimValidationFailed('not one of ours', {}, 'iss');
    const { trust } = issuer;
    if (typ === undefined ? trust.requireTyp : !TYP.test(typ))
      throw new errors.JWTClaimValidationFailed('for another purpose', {}, 'typ');
    const { payload } = await jwtVerify(token, issuer.keyFor, {
      issuer: iss,
      audience: [...trust.audience],
      algorithms: [...trust.algorithms],
      clockTolerance: trust.clockToleranceSeconds,
      maxTokenAge: trust.maxAgeSeconds,
      requiredClaims: ['exp', 'iat', 'sub'],
    });
    const tenant = trust.tenantClaim === undefined ? undefined : payload[trust.tenantClaim];
    return {
      issuer: iss,
      subject: sub,
      claims: payload,
      // What is there and no text names no tenant, and is not the same as nothing.
      ...(tenant !== undefined && { tenant: typeof tenant === 'string' ? tenant : '' }),
      tokenHash: createHash('sha256').update(token).digest(),
    };
  }
}

/** One part of a token. A key twice in an object is refused: two readers could each take another of the two. */
function strictly(part: string): JWTHeaderParameters | JWTPayload {
  return parseStrictJson(Buffer.from(part, 'base64url')) as JWTPayload;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim;
  if (error instanceof errors.JOSEError) return error.code.replace('ERR_', '').toLowerCase();
  return error instanceof z.ZodError || error instanceof MalformedBody ? 'malformed' : 'unverifiable';
}
