import { randomBytes } from 'node:crypto';
import { Keyring, open, seal } from './sealing';

/** What OpenSSL says of a tag that does not fit. */
const UNAUTHENTIC = 'unable to authenticate';

describe('What is sealed', () => {
  const key = randomBytes(32);
  const content = randomBytes(40);

  it('opens with its key at its place only, and with every byte as it was', () => {
    const sealed = seal(key, 'place 1', content);
    expect(open(key, 'place 1', sealed)).toEqual(content);
    expect(sealed.includes(content)).toBe(false);
    expect(() => open(key, 'place 2', sealed)).toThrow(UNAUTHENTIC);
    expect(() => open(randomBytes(32), 'place 1', sealed)).toThrow(UNAUTHENTIC);
    for (let at = 0; at < sealed.length; at += 1) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      expect(() => open(key, 'place 1', altered)).toThrow(UNAUTHENTIC);
    }
  });

  it('differs each time', () => {
    expect(seal(key, 'place', content).equals(seal(key, 'place', content))).toBe(false);
  });
});

describe('A keyring', () => {
  const given = (id: string) => ({ id, key: randomBytes(32).toString('base64') });

  it('says which variable lacks a key', () => {
    const [old, fresh] = [given('old'), given('fresh')];
    const sealed = new Keyring([old], 'VAULT_KEY').seal('place', Buffer.from('x'));
    expect(new Keyring([fresh, old], 'VAULT_KEY').open('place', sealed).toString()).toBe('x');
    expect(() => new Keyring([fresh], 'VAULT_KEY').open('place', sealed)).toThrow('no key old in VAULT_KEY');
    expect(() => new Keyring([], 'VAULT_KEY').seal('place', Buffer.from('x'))).toThrow('VAULT_KEY');
  });
});
