import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

/** An OpenID Connect issuer on this machine that signs whatever a test asks for, right or wrong. */
export class TestIssuer {
  /** Requests that it has answered, by path. */
  readonly asked: string[] = [];
  /** What it publishes besides or instead of the truth. */
  discovery: Readonly<Record<string, unknown>> = {};
  /** Whether it answers 500 to everything. */
  isBroken = false;
  /** Whether it answers nothing. */
  isSilent = false;
  private keys: SigningKey[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<TestIssuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new TestIssuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => issuer.answer(request, response));
    await issuer.rotate();
    return issuer;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Begins to sign with a new key. The one before stays published, unless it is dropped. */
  async rotate(drop = false): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const kid = `key-${this.keys.length + 1}-${Date.now()}`;
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
    this.keys = [{ privateKey, publicKey, jwk }, ...(drop ? [] : this.keys)];
  }

  /** The key that signs at the moment, as an attacker can read it. */
  get publicJwk(): JWK {
    return this.current.jwk;
  }

  publicPem(): Promise<string> {
    return exportSPKI(this.current.publicKey);
  }

  /** A token that is right but for what is given: claims of `undefined` are left out. */
  token(
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const usual = { iss: this.url, sub: 'anna', aud: 'holdfast', iat: now, exp: now + 300 };
    const payload = Object.fromEntries(
      Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined),
    );
    const usualHeader = { alg: 'ES256', typ: 'at+jwt', kid: this.current.jwk.kid };
    const protectedHeader = Object.fromEntries(
      Object.entries({ ...usualHeader, ...header }).filter(([, value]) => value !== undefined),
    ) as { alg: string };
    return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(this.current.privateKey);
  }

  private get current(): SigningKey {
    const [key] = this.keys;
    if (!key) throw new Error('the issuer has no key');
    return key;
  }

  private answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
    this.asked.push(url);
    if (this.isSilent) return;
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': {
        issuer: this.url,
        jwks_uri: `${this.url}/jwks`,
        ...this.discovery,
      },
      '/jwks': { keys: this.keys.map(({ jwk }) => jwk) },
    };
    const found = this.isBroken ? undefined : documents[url];
    response.writeHead(found ? 200 : 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ?? {}));
  }
}
