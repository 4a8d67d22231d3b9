// A real OpenID Connect provider (oidc-provider from npm) as a process of its own: it is an ES module, and Jest runs CommonJS.
// Takes its port in the environment, and its keys anew at each start; says on standard output when it listens.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const port = Number(process.env.OIDC_PORT);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };

/** Access tokens for one API, as JWTs (RFC 9068). */
const resource = {
  scope: 'api',
  audience: 'holdfast',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 300,
  jwt: { sign: { alg: 'RS256' } },
};

const client = (id) => ({
  client_id: id,
  client_secret: 'secret-of-the-client',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: ['anna', 'bert'].map(client),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:holdfast',
      useGrantedResource: () => true,
      getResourceServerInfo: () => resource,
    },
  },
  extraTokenClaims: (_context, token) => ({
    sub: token.clientId,
    org: 'acme',
    groups: [token.clientId === 'anna' ? 'boss' : 'guest'],
  }),
});
provider.listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
