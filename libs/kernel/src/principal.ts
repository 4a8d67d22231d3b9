/**
 * Somebody whom an OpenID Connect issuer vouches for, by a token that has been verified. Says nothing yet about tenants:
 * a principal acts for one only by a membership there.
 */
export interface Principal {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The tenant, by id or slug, that the issuer's own claim names. */
  readonly tenant?: string | undefined;
  /** SHA-256 of the token: tells one sign-in from another and gives nothing away. */
  readonly tokenHash: Buffer;
}
