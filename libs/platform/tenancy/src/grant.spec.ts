import { callerOf, readGrant } from './grant';

const TENANT = '01890a5d-ac96-774b-bcce-b302099a8057';
/** 2000-01-01 and 900 million seconds, in microseconds. */
const EXPIRY = (900_000_000_000_000).toString(16).padStart(16, '0');
const signedGrant = (principal: string): string => `${'a'.repeat(64)}0001${TENANT}${EXPIRY}${principal}`;

describe('readGrant', () => {
  it('reads every part at its place', () => {
    const signed = signedGrant('api_key:1|ledger:read ledger:write|cause|operator:ann|free');
    expect(readGrant(signed)).toEqual({
      signed,
      tenantId: TENANT,
      actor: 'api_key:1',
      scopes: ['ledger:read', 'ledger:write'],
      expiresAtMs: Date.UTC(2000, 0, 1) + 900_000_000_000,
      plan: 'free',
      act: 'operator:ann',
    });
  });

  it('reads no scope and no operator where there is none', () => {
    const { scopes, act } = readGrant(signedGrant('member:1||||standard'));
    expect([scopes, act]).toEqual([[], undefined]);
  });

  it('takes a grant without a plan for one of the standard plan', () => {
    expect(readGrant(signedGrant('member:1|*|')).plan).toBe('standard');
  });
});

describe('callerOf', () => {
  it('keeps the signed text, which alone opens a transaction', () => {
    const grant = readGrant(signedGrant('member:1|*|'));
    expect(callerOf(grant, { requestId: 'r' })).toEqual({
      grant: grant.signed,
      tenantId: TENANT,
      actor: 'member:1',
      scopes: ['*'],
      plan: 'standard',
      requestId: 'r',
    });
  });
});
