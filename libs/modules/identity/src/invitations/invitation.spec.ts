import { newId } from '@holdfast/kernel';
import { generateInvitationToken, hashOfToken, isAddressOf, tenantOfToken } from './invitation';

describe('An invitation', () => {
  it('has a token that names its tenant and is recognised by its hash', () => {
    const tenantId = newId();
    const { text, hash } = generateInvitationToken(tenantId);
    expect(tenantOfToken(text)).toBe(tenantId);
    expect(hashOfToken(text)).toEqual(hash);
    expect(generateInvitationToken(tenantId).text).not.toBe(text);
  });

  it.each(['', 'hfi_', 'hf_live_x', `hfi_${'0'.repeat(32)}_short`])('is not "%s"', (text) => {
    expect(tenantOfToken(text)).toBeUndefined();
  });

  it('is for the address that the issuer names, unless it says that it has not verified it', () => {
    const email = 'Anna@Example.com';
    expect(isAddressOf(email, { email: 'anna@example.COM' })).toBe(true);
    expect(isAddressOf(email, { email, email_verified: true })).toBe(true);
    for (const claims of [
      {},
      { email: 'bert@example.com' },
      { email: [email] },
      { email, email_verified: false },
      { email, email_verified: 'false' },
    ])
      expect(isAddressOf(email, claims)).toBe(false);
  });
});
