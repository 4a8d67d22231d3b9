import { createHmac } from 'node:crypto';
import { TestIssuer } from '@holdfast/testing';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { IssuerUnavailable } from './tokens.errors';
import type { TrustedIssuer } from './oidc-issuer';
import { TokenVerifier } from './token-verifier';

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe('TokenVerifier', () => {
  let issuer: TestIssuer;
  let tokens: TokenVerifier;
  const now = Math.floor(Date.now() / 1_000);

  const trusting = (more: Partial<TrustedIssuer> = {}): TokenVerifier =>
    new TokenVerifier([
      {
        issuer: issuer.url,
        audience: ['holdfast'],
        algorithms: ['RS256', 'ES256', 'EdDSA', 'PS256'],
        clockToleranceSeconds: 5,
        maxAgeSeconds: 86_400,
        requireTyp: true,
        ...more,
      },
    ]);

  beforeEach(async () => {
    issuer = await TestIssuer.start();
    tokens = trusting({ tenantClaim: 'org' });
  });
  afterEach(() => issuer.stop());

  it('answers whom a good token is about, and which tenant its issuer names', async () => {
    const principal = await tokens.verify(await issuer.token({ org: 'acme', aud: ['other', 'holdfast'] }));
    expect(principal).toMatchObject({ issuer: issuer.url, subject: 'anna', tenant: 'acme' });
    expect(await tokens.verify(await issuer.token({}, { typ: 'JWT' }))).not.toHaveProperty('tenant');
    expect(await tokens.verify(await issuer.token({ org: 7 }))).toMatchObject({ tenant: '' });
  });

  /** Reliability.md, row 19: what an issuer would never sign, signed by it all the same. */
  const wrongClaims: readonly [string, Record<string, unknown>][] = [
    ['of another issuer', { iss: 'https://elsewhere.example' }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'another-service' }],
    ['without an audience', { aud: undefined }],
    ['without a subject', { sub: undefined }],
    ['with an empty subject', { sub: '' }],
    ['with a NUL in its subject', { sub: 'an\u0000na' }],
    ['with a number as its subject', { sub: 7 }],
    ['that has expired', { exp: now - 60 }],
    ['without an end', { exp: undefined }],
    ['with an end that is text', { exp: '9999999999' }],
    ['that is not good yet', { nbf: now + 600 }],
    ['issued in the future', { iat: now + 600 }],
    ['without a time of issue', { iat: undefined }],
    ['issued too long ago', { iat: now - 90_000 }],
    ['that is huge', { padding: 'x'.repeat(8_192) }],
  ];
  it.each(wrongClaims)('refuses a token %s', async (_, claims) => {
    expect(await tokens.verify(await issuer.token(claims))).toBeUndefined();
  });

  it.each([
    ['another purpose', { typ: 'logout+jwt' }],
    ['no purpose', { typ: undefined }],
    ['a path as its key', { kid: '../../../../dev/null' }],
    ['SQL as its key', { kid: "x' union select 'secret" }],
    ['an address as its key', { kid: 'http://127.0.0.1:1/key' }],
    ['a critical extension', { crit: ['exp'], exp: now }],
  ])('refuses a token with %s', async (_, header) => {
    expect(await tokens.verify(await resigned(header))).toBeUndefined();
  });

  /** Jose itself signs no header that it would not accept, so it is put together by hand where it has to. */
  async function resigned(header: Readonly<Record<string, unknown>>): Promise<string> {
    try {
      return await issuer.token({}, header);
    } catch {
      const [, claims, signature] = (await issuer.token()).split('.');
      return [encode({ alg: 'ES256', typ: 'JWT', ...header }), claims, signature].join('.');
    }
  }

  it('refuses a token that nobody has signed', async () => {
    const [, claims] = (await issuer.token()).split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = encode({ alg, typ: 'JWT' });
      for (const token of [`${header}.${claims}.`, `${header}.${claims}.eA`, `${header}.${claims}`])
        expect(await tokens.verify(token)).toBeUndefined();
    }
  });

  it('refuses a token that was signed with the public key as a shared secret', async () => {
    const [, claims] = (await issuer.token()).split('.');
    for (const secret of [await issuer.publicPem(), JSON.stringify(issuer.publicJwk)]) {
      const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: issuer.publicJwk.kid })}.${claims}`;
      const signature = createHmac('sha256', secret).update(signed).digest('base64url');
      expect(await tokens.verify(`${signed}.${signature}`)).toBeUndefined();
    }
  });

  it('looks at no key that the token brings along', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const attacker = await TestIssuer.start();
    const headers: Readonly<Record<string, unknown>>[] = [
      { jwk },
      { jku: `${attacker.url}/jwks` },
      { x5u: `${attacker.url}/jwks` },
      { jku: `${attacker.url}/jwks`, kid: attacker.publicJwk.kid },
      { kid: issuer.publicJwk.kid },
    ];
    for (const header of headers) {
      const forged = await new SignJWT({ iss: issuer.url, sub: 'anna', aud: 'holdfast' })
        .setProtectedHeader(Object.assign({ alg: 'ES256', typ: 'JWT' }, header))
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey);
      expect(await tokens.verify(forged)).toBeUndefined();
    }
    expect(attacker.asked).toEqual([]);
    await attacker.stop();
  });

  it('refuses what is cut short, changed, or says something twice', async () => {
    const token = await issuer.token();
    const [header = '', claims = '', signature = ''] = token.split('.');
    const twice = encode(Buffer.from(claims, 'base64url').toString().replace('{', '{"sub":"boss",'));
    const changed = encode(Buffer.from(claims, 'base64url').toString().replace('anna', 'boss'));
    for (const wrong of [
      '',
      '..',
      token.slice(0, -10),
      token.slice(0, token.length / 2),
      `${token}=`,
      `${token}.${signature}`,
      `${header}.${twice}.${signature}`,
      `${header}.${changed}.${signature}`,
      `${encode('[]')}.${claims}.${signature}`,
      `${encode('{"alg":"ES256","alg":"ES256"}')}.${claims}.${signature}`,
      `${header}.${encode('null')}.${signature}`,
      `${header}.${encode('['.repeat(3_000))}.${signature}`,
    ])
      expect(await tokens.verify(wrong)).toBeUndefined();
    expect(await tokens.verify(token)).toBeDefined();
  });

  it('takes no algorithm that the issuer is not known for', async () => {
    expect(await trusting({ algorithms: ['RS256'] }).verify(await issuer.token())).toBeUndefined();
  });

  it('takes a token without typ only from an issuer that is known to leave it out', async () => {
    const lax = trusting({ requireTyp: false });
    expect(await lax.verify(await issuer.token({}, { typ: undefined }))).toBeDefined();
    expect(await lax.verify(await issuer.token({}, { typ: 'logout+jwt' }))).toBeUndefined();
  });

  it('follows a key that is rotated in, and forgets one that is taken back', async () => {
    const before = await issuer.token();
    await issuer.rotate(true);
    // A process that has not read the keys yet; one that has asks again after its cooldown.
    expect(await tokens.verify(await issuer.token())).toBeDefined();
    expect(await tokens.verify(before)).toBeUndefined();
  });

  it('asks its issuer once for keys, whatever is thrown at it', async () => {
    const good = await issuer.token();
    const bad = await issuer.token({}, { kid: 'unknown' });
    await Promise.all(Array.from({ length: 50 }, (_, i) => tokens.verify(i % 2 ? good : bad)));
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
  });

  /** Goes on with a clock that is ahead. */
  async function later<T>(seconds: number, work: () => Promise<T>): Promise<T> {
    const real = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => real() + seconds * 1_000);
    try {
      return await work();
    } finally {
      clock.mockRestore();
    }
  }

  it('finds a key that was rotated in while it runs, as soon as it may ask again', async () => {
    expect(await tokens.verify(await issuer.token())).toBeDefined();
    await issuer.rotate();
    const fresh = await issuer.token();
    expect(await tokens.verify(fresh)).toBeUndefined();
    expect(await later(31, () => tokens.verify(fresh))).toBeDefined();
  });

  it('goes on without its issuer for an hour, and no longer', async () => {
    const token = await issuer.token();
    expect(await tokens.verify(token)).toBeDefined();
    issuer.isBroken = true;
    expect(await later(3_000, () => tokens.verify(token))).toBeDefined();
    await expect(later(3_700, () => tokens.verify(token))).rejects.toBeInstanceOf(IssuerUnavailable);
  });

  it('comes back when its issuer does', async () => {
    issuer.isBroken = true;
    const token = await issuer.token();
    await expect(tokens.verify(token)).rejects.toBeInstanceOf(IssuerUnavailable);
    issuer.isBroken = false;
    await expect(tokens.verify(token)).rejects.toBeInstanceOf(IssuerUnavailable);
    expect(await later(11, () => tokens.verify(token))).toBeDefined();
  });

  it('says that an issuer is away, and does not hammer it', async () => {
    issuer.isBroken = true;
    const token = await issuer.token();
    for (let tries = 0; tries < 20; tries += 1)
      await expect(tokens.verify(token)).rejects.toBeInstanceOf(IssuerUnavailable);
    expect(issuer.asked).toHaveLength(1);
  });

  it.each([
    ['calls itself something else', { issuer: 'https://elsewhere.example' }],
    ['has its keys on another host, unencrypted', { jwks_uri: 'http://elsewhere.example/jwks' }],
    ['has no keys', { jwks_uri: undefined }],
  ])('believes no discovery document that %s', async (_, discovery) => {
    issuer.discovery = discovery;
    await expect(tokens.verify(await issuer.token())).rejects.toBeInstanceOf(IssuerUnavailable);
  });
});
