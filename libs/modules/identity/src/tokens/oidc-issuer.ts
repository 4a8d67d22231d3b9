import { counter } from '@holdfast/observability';
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { IssuerUnavailable } from './tokens.errors';

/** Whose tokens are accepted, and what they have to say. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly tenantClaim?: string | undefined;
  readonly clockToleranceSeconds: number;
  readonly maxAgeSeconds: number;
  readonly requireTyp: boolean;
}

/** An answer takes milliseconds; a request that waits for it has a deadline of its own. */
const TIMEOUT_MS = 3_000;
/** Discovery documents have about 5 KiB, key sets of the largest issuers about 20. */
const BODY_MAX = 262_144;
/** So long nobody asks an issuer again that has failed: its requests are then refused without waiting. */
const RETRY_AFTER_MS = 10_000;
/** Keys are read again in the background at this age, and for an unknown key id at most every 30 s. */
const REFRESH_MS = 600_000;
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
/** Keys that could not be confirmed for an hour are no longer used; the document that names their place is as old at most. */
const TRUST_MS = 3_600_000;

const fetches = counter({
  name: 'holdfast_oidc_fetches_total',
  help: 'Discovery documents and key sets that were asked for, by issuer and outcome (ok or failed).',
  labels: ['issuer', 'outcome'],
});

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });

type Keys = ReturnType<typeof createRemoteJWKSet>;

/**
 * One issuer: where its keys are and which they are, read at the first use.
 *
 * An issuer that is away refuses its own tokens with IssuerUnavailable and disturbs nobody else: each read has a deadline
 * and a limit, reads are shared by all who wait, and after a failure nobody tries again for a while.
 */
export class OidcIssuer {
  private keys: Keys | undefined;
  private discovering: Promise<Keys> | undefined;
  private discoveredAtMs = -Infinity;
  private refreshedAtMs = -Infinity;
  private failedAtMs = -Infinity;

  constructor(readonly trust: TrustedIssuer) {}

  /** The public key that a token names. Throws IssuerUnavailable, or jose's error for a key that the issuer does not have. */
  readonly keyFor: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.currentKeys();
    try {
      return await keys(header, token);
    } catch (error) {
      throw error instanceof errors.JWKSInvalid ? new IssuerUnavailable() : error;
    }
  };

  private async currentKeys(): Promise<Keys> {
    const isStale = Date.now() - this.discoveredAtMs > TRUST_MS;
    if (isStale) this.discovering ??= this.discover().finally(() => (this.discovering = undefined));
    if (!this.keys) return this.discovering ?? this.discover();
    this.discovering?.catch(() => {}); // Counted where it fails; the keys stay good until they are too old.
    if (Date.now() - this.refreshedAtMs > REFRESH_MS) {
      this.refreshedAtMs = Date.now();
      this.keys.reload().catch(() => {}); // As above.
    }
    return this.keys;
  }

  private async discover(): Promise<Keys> {
    const { issuer } = this.trust;
    const text = await this.read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const { data: found } = discoverySchema.safeParse(parsed(text));
    // A document of another issuer, or one that sends us to plain HTTP, is as good as none.
    if (found?.issuer !== issuer || !isAsSafe(found.jwks_uri, issuer)) throw this.failed();
    this.discoveredAtMs = this.refreshedAtMs = Date.now();
    return (this.keys = createRemoteJWKSet(new URL(found.jwks_uri), {
      cooldownDuration: UNKNOWN_KEY_COOLDOWN_MS,
      cacheMaxAge: TRUST_MS,
      timeoutDuration: TIMEOUT_MS,
      [customFetch]: async (url) => new Response(await this.read(url)),
    }));
  }

  private async read(url: string): Promise<string> {
    const { issuer } = this.trust;
    if (Date.now() - this.failedAtMs < RETRY_AFTER_MS) throw new IssuerUnavailable();
    try {
      const response = await fetch(url, {
        redirect: 'error',
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await bounded(response);
      fetches.inc({ issuer, outcome: 'ok' });
      return text;
    } catch {
      // Whatever it was, nobody can be told more than that the issuer is away; the counter tells the operator how often.
      throw this.failed();
    }
  }

  private failed(): IssuerUnavailable {
    this.failedAtMs = Date.now();
    fetches.inc({ issuer: this.trust.issuer, outcome: 'failed' });
    return new IssuerUnavailable();
  }
}

/** The JSON of an answer, which is 200 and not too long. */
async function bounded(response: Response): Promise<string> {
  if (response.status !== 200 || !response.body) throw new Error('not an answer');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    if ((size += chunk.length) > BODY_MAX) throw new Error('too long');
  }
  const text = Buffer.concat(chunks).toString();
  JSON.parse(text);
  return text;
}

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** Keys come over HTTPS, or from the same host as an issuer that is itself reached without, on this machine. */
export function isAsSafe(address: string, issuer: string): boolean {
  const isEncrypted = address.startsWith('https://');
  return (
    isEncrypted || (issuer.startsWith('http://') && new URL(address).hostname === new URL(issuer).hostname)
  );
}
