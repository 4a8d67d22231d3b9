import { counter } from '@holdfast/observability';
import { DependencyAway, Policy, settingsOf } from '@holdfast/resilience';
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

/** Discovery documents have about 5 KiB, key sets of the largest issuers about 20. */
const BODY_MAX = 262_144;
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
 * and a limit, reads are shared by all who wait, and after a failure nobody tries again for a while, as the policy `oidc` says.
 */
export class OidcIssuer {
  private keys: Keys | undefined;
  private discovering: Promise<Keys> | undefined;
  private discoveredAtMs = -Infinity;
  private refreshedAtMs = -Infinity;
  private readonly reads = new Policy('oidc');

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
    const found = await this.read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, (text) =>
      discoveryOf(text, issuer),
    );
    this.discoveredAtMs = this.refreshedAtMs = Date.now();
    return (this.keys = createRemoteJWKSet(new URL(found.jwks_uri), {
      cooldownDuration: UNKNOWN_KEY_COOLDOWN_MS,
      cacheMaxAge: TRUST_MS,
      timeoutDuration: settingsOf('oidc').deadlineMs,
      [customFetch]: async (url) => new Response(await this.read(url, (text) => text)),
    }));
  }

  private async read<T>(url: string, readText: (text: string) => T): Promise<T> {
    const { issuer } = this.trust;
    const headers = { accept: 'application/json' };
    try {
      const answer = await this.reads.fetch(url, { headers }, async (response) =>
        readText(await bounded(response)),
      );
      fetches.inc({ issuer, outcome: 'ok' });
      return answer;
    } catch (error) {
      // Whatever it was, nobody can be told more than that the issuer is away; the counter tells the operator how often.
      const isAsked = !(error instanceof DependencyAway && error.reason === 'circuit_open');
      if (isAsked) fetches.inc({ issuer, outcome: 'failed' });
      throw new IssuerUnavailable();
    }
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

/** What a discovery document says. One of another issuer, or that sends us to plain HTTP, is as good as none. */
function discoveryOf(text: string, issuer: string): { readonly jwks_uri: string } {
  const found = discoverySchema.parse(JSON.parse(text));
  if (found.issuer !== issuer || !isAsSafe(found.jwks_uri, issuer)) throw new Error('not its document');
  return found;
}

/** Keys come over HTTPS, or from the same host as an issuer that is itself reached without, on this machine. */
export function isAsSafe(address: string, issuer: string): boolean {
  const isEncrypted = address.startsWith('https://');
  return (
    isEncrypted || (issuer.startsWith('http://') && new URL(address).hostname === new URL(issuer).hostname)
  );
}
