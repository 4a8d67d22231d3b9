import { callerOf, readGrant } from './grant';

const TENANT = '01890a5d-ac96-774b-bcce-b302099a8057';
const signedGrant = (principal: string): string =>
  `${'a'.repeat(64)}0001${TENANT}1800000000000000${principal}`;

describe('readGrant', () => {
  it('reads every part at its place', () => {
    const signed = signedGrant('api_key:1|ledger:read ledger:write|cause');
    expect(readGrant(signed)).toEqual({
      signed,
      tenantId: TENANT,
      actor: 'api_key:1',
      scopes: ['ledger:read', 'ledger:write'],
      expiresAtMs: 1_800_000_000_000,
    });
  });

  it('reads no scope where there is none', () => {
    expect(readGrant(signedGrant('member:1||')).scopes).toEqual([]);
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
      requestId: 'r',
    });
  });
});
