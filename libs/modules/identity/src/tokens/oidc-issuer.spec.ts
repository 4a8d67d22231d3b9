import { isAsSafe } from './oidc-issuer';

describe('The address of an issuer’s keys', () => {
  it.each([
    ['https://id.example.com/jwks', 'https://id.example.com', true],
    ['https://keys.example.net/jwks', 'https://id.example.com', true],
    ['http://id.example.com/jwks', 'https://id.example.com', false],
    ['http://127.0.0.1:9000/jwks', 'http://127.0.0.1:9000', true],
    ['http://elsewhere.example/jwks', 'http://127.0.0.1:9000', false],
  ])('%s of %s is as safe as it: %s', (address, issuer, safe) => {
    expect(isAsSafe(address, issuer)).toBe(safe);
  });
});
