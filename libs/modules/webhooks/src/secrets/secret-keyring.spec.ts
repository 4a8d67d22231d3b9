import { randomBytes, randomUUID } from 'node:crypto';
import { SecretKeyring } from './secret-keyring';

/** What OpenSSL says of a tag that does not fit. */
const UNAUTHENTIC = 'unable to authenticate';

const key = (id: string) => ({ id, key: randomBytes(32).toString('base64') });

describe('A keyring', () => {
  const [old, fresh] = [key('2025'), key('2026')];
  const [tenant, id] = [randomUUID(), randomUUID()];
  const secret = randomBytes(32);

  it('opens what it has sealed, also once another key is in front', () => {
    const sealed = new SecretKeyring([old]).seal(secret, tenant, id);
    expect(sealed.keyId).toBe('2025');
    expect(sealed.sealed.includes(secret)).toBe(false);
    const both = new SecretKeyring([fresh, old]);
    expect(both.open(sealed, tenant, id)).toEqual(secret);
    expect(both.seal(secret, tenant, id).keyId).toBe('2026');
    expect(() => new SecretKeyring([fresh]).open(sealed, tenant, id)).toThrow('no key 2025');
  });

  it('opens nothing that was moved to another row or tenant, or altered', () => {
    const keyring = new SecretKeyring([old]);
    const sealed = keyring.seal(secret, tenant, id);
    expect(() => keyring.open(sealed, randomUUID(), id)).toThrow(UNAUTHENTIC);
    expect(() => keyring.open(sealed, tenant, randomUUID())).toThrow(UNAUTHENTIC);
    for (let at = 0; at < sealed.sealed.length; at += 1) {
      const altered = Buffer.from(sealed.sealed);
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      expect(() => keyring.open({ ...sealed, sealed: altered }, tenant, id)).toThrow(UNAUTHENTIC);
    }
  });

  it('without a key seals nothing', () => {
    expect(() => new SecretKeyring([]).seal(secret, tenant, id)).toThrow('WEBHOOK_SECRETS_KEY');
  });
});
