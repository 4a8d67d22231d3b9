import { createHash } from 'node:crypto';
import { generateApiKey, isApiKey } from './api-key';

describe('API key', () => {
  it('has the mode, thirty random digits and six of checksum', () => {
    const key = generateApiKey('live');
    expect(key.text).toMatch(/^hf_live_[0-9A-Za-z]{36}$/);
    expect(key.text.startsWith(key.prefix)).toBe(true);
    expect(key.hash).toEqual(createHash('sha256').update(key.text).digest());
    expect(isApiKey(key.text)).toBe(true);
  });

  it('is not another key when generated again', () => {
    expect(generateApiKey('test').text).not.toBe(generateApiKey('test').text);
  });

  it('is refused when any one character is changed', () => {
    const { text } = generateApiKey('test');
    for (let i = 0; i < text.length; i += 1) {
      const changed = text.slice(0, i) + (text[i] === 'a' ? 'b' : 'a') + text.slice(i + 1);
      expect(isApiKey(changed)).toBe(false);
    }
  });

  it.each(['', 'hf_live_', 'sk_live_123', 'eyJhbGciOiJub25lIn0.e30.'])('is not "%s"', (text) => {
    expect(isApiKey(text)).toBe(false);
  });
});
