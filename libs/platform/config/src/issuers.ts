import { z } from 'zod';

/** Signatures by a private key. `none` and HMAC are not on the list, so no configuration can allow them. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const url = z.string().refine(isIssuer, {
  error: 'has to be https:// addresses without query; http:// only for this machine, in development',
});

const issuer = z.strictObject({
  issuer: url,
  audience: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((audience) => [audience].flat()),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256', 'EdDSA', 'PS256']),
  /** The claim that names the tenant, by id or slug. */
  tenantClaim: z.string().min(1).max(200).optional(),
  clockToleranceSeconds: z.int().min(0).max(60).default(5),
  /** How long ago a token may have been issued, whatever its end. */
  maxAgeSeconds: z.int().min(60).max(604_800).default(86_400),
  /** Whether a token has to say in its header that it is a JWT. Some issuers leave it out. */
  requireTyp: z.boolean().default(true),
});

/** An issuer whose JWTs are accepted, and what they have to say. */
export type IssuerConfig = Readonly<z.output<typeof issuer>>;

/**
 * A list of addresses, each with the default for everything else, or a JSON array that says more about each. The audience
 * of the first form is a variable of its own: see `withAudience`.
 */
export const issuersSchema = z
  .string()
  .default('')
  .transform((text) => (text.trimStart().startsWith('[') ? jsonOf(text) : listOf(text)))
  .pipe(z.array(issuer.extend({ audience: issuer.shape.audience.optional() })))
  .refine((issuers) => new Set(issuers.map((each) => each.issuer)).size === issuers.length, {
    error: 'names an issuer twice',
  });

/** The issuers with the audience of those that the short form names. */
export function withAudience(issuers: z.output<typeof issuersSchema>, audience: string): IssuerConfig[] {
  return issuers.map((each) => ({ ...each, audience: each.audience ?? [audience] }));
}

/** Whether the address may be an issuer's anywhere but in development. */
export function isEncrypted(address: string): boolean {
  return address.startsWith('https://');
}

function listOf(text: string): unknown[] {
  return text
    .split(',')
    .map((address) => address.trim())
    .filter(Boolean)
    .map((address) => ({ issuer: address }));
}

/** What is no JSON, or leaves an audience out, becomes something that the schema refuses without repeating it. */
function jsonOf(text: string): unknown {
  try {
    const issuers: unknown = JSON.parse(text);
    const all = Array.isArray(issuers) ? (issuers as unknown[]) : [null];
    return all.map((each) => (isObject(each) && 'audience' in each ? each : { audience: null }));
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

function isIssuer(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, search, hash } = new URL(address);
  if (username !== '' || search !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
}
