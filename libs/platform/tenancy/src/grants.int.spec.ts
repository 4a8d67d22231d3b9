import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { Database, DatabaseUnavailable, statement, SystemTx } from '@holdfast/database';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import { callerOf } from './grant';
import { Grants } from './grants';

const STORE = statement('test.store_credential', 'select auth.store_credential($1, $2, $3, $4)');
const REVOKE = statement<{ revoked: boolean }>(
  'test.revoke_credential',
  'select auth.revoke_credential($1) as revoked',
);
const SCOPES = statement<{ actor: string; scopes: string[] }>(
  'test.read_scopes',
  'select tenancy.actor() as actor, tenancy.scopes() as scopes',
);

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

describe('Grants', () => {
  let database: TestDatabase;
  let grants: Grants;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth', 2));
  });
  afterAll(() => database.drop());

  const storeKey = async (
    caller: Caller,
    scopes: string[],
    expiresAt: Date | null = null,
  ): Promise<{ id: string; secret: string }> => {
    const key = { id: newId(), secret: randomBytes(24).toString('hex') };
    await database.tenants(1).transaction(caller, async (tx) => {
      await tx.rows(STORE, [key.id, hashOf(key.secret), scopes, expiresAt]);
      await tx.announce(fixtureMade());
    });
    return key;
  };

  it('name the tenant, actor and scopes of a key, and none for a wrong one', async () => {
    const caller = await database.caller();
    const { id, secret } = await storeKey(caller, ['ledger:read', 'ledger:write']);
    const grant = await grants.forKey(secret);
    expect(grant).toMatchObject({
      tenantId: caller.tenantId,
      actor: `api_key:${id}`,
      scopes: ['ledger:read', 'ledger:write'],
    });
    const inside = await database.tenants(1).rows(callerOf(grant!, { requestId: 'x' }), SCOPES, []);
    expect(inside).toEqual([{ actor: `api_key:${id}`, scopes: ['ledger:read', 'ledger:write'] }]);
    for (const wrong of ['', 'x', secret.toUpperCase(), `${secret} `, hashOf(secret).toString('hex')]) {
      expect(await grants.forKey(wrong)).toBeUndefined();
    }
  });

  it('that a process has kept from the release before are good until their key is retired', async () => {
    const caller = await database.caller();
    const sign = `select encode(sha256(k.secret || sha256(k.secret || convert_to(b.body, 'utf8'))), 'hex') || b.body as signed
      from tenancy.signing_keys k
      cross join lateral (select k.id || $1 || '1795000000000000api_key:1|*|' as body) b
      where k.retired_at is null`;
    const [kept] = await database.admin<{ signed: string }>(sign, [caller.tenantId]);
    const asBefore = { ...caller, grant: kept!.signed };
    expect(await database.tenants(1).rows(asBefore, SCOPES, [])).toEqual([
      { actor: 'api_key:1', scopes: ['*'] },
    ]);
    const forged = { ...asBefore, grant: kept!.signed.replace('|*|', '|x|') };
    await expect(database.tenants(1).rows(forged, SCOPES, [])).rejects.toThrow('no valid tenant context');
    await database.admin(
      'update tenancy.signing_keys set retired_at = clock_timestamp() where retired_at is null',
    );
    await database.admin('select tenancy.rotate_signing_key()');
    await expect(database.tenants(1).rows(asBefore, SCOPES, [])).rejects.toThrow('no valid tenant context');
  });

  it('end with their key', async () => {
    const { secret } = await storeKey(await database.caller(), ['*'], new Date(Date.now() - 1));
    expect(await grants.forKey(secret)).toBeUndefined();
  });

  it('hand on no scope that the maker of a key does not hold', async () => {
    const { secret } = await storeKey(await database.caller(), ['ledger:read', 'keys:write']);
    const limited = callerOf((await grants.forKey(secret))!, { requestId: 'x' });
    await expect(storeKey(limited, ['ledger:read', 'ledger:write'])).rejects.toMatchObject({ code: 'HF003' });
    await expect(storeKey(limited, ['*'])).rejects.toMatchObject({ code: 'HF003' });
    await expect(storeKey(limited, ['ledger:read'])).resolves.toBeDefined();
  });

  it('are minted for members of a tenant and for nobody else', async () => {
    const tenantId = newId();
    const member = newId();
    await database.admin(
      `insert into auth.memberships values ('https://issuer', 'anna', $1, $2, '{audit:read}')`,
      [tenantId, member],
    );
    expect(await grants.forMember('https://issuer', 'anna', tenantId)).toMatchObject({
      tenantId,
      actor: `member:${member}`,
      scopes: ['audit:read'],
    });
    expect(await grants.forMember('https://issuer', 'anna', newId())).toBeUndefined();
    expect(await grants.forMember('https://issuer', 'bert', tenantId)).toBeUndefined();
    expect(await grants.forMember('https://other', 'anna', tenantId)).toBeUndefined();
  });

  it.each(['', 'Holdfast', '1st', 'a|b', 'a b', 'x'.repeat(64)])(
    'are refused to a system called "%s"',
    async (consumer) => {
      await expect(grants.forSystem(consumer, newId())).rejects.toMatchObject({ code: 'HF002' });
    },
  );

  it.each(['x|*', 'ünprintable', 'two\nlines'])('cannot carry "%s" as their cause', async (cause) => {
    await expect(grants.forSystem('test', newId(), cause)).rejects.toMatchObject({ code: 'HF002' });
  });

  it.each(['audit:read *', 'audit:read|*', 'é'])('cannot carry "%s" as one scope', async (scope) => {
    const tenantId = newId();
    await database.admin(`insert into auth.memberships values ('https://issuer', 'carl', $1, $2, $3)`, [
      tenantId,
      newId(),
      [scope],
    ]);
    await expect(grants.forMember('https://issuer', 'carl', tenantId)).rejects.toMatchObject({
      code: 'HF002',
    });
  });

  it('are minted once for all that ask for one at a time, who would fill the pool', async () => {
    const tenantId = newId();
    const asked = await Promise.all(Array.from({ length: 100 }, () => grants.forSystem('crowd', tenantId)));
    expect(new Set(asked.map(({ signed }) => signed)).size).toBe(1);
  });

  it('come from a role that reads no table', async () => {
    const tables = await database.admin<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^(pg_|information_schema)'`,
    );
    expect(tables.length).toBeGreaterThan(8);
    const auth = database.as('holdfast_auth', 1);
    for (const { name } of tables) {
      const read = auth.transaction(
        (connection) => new SystemTx(connection),
        (tx) => tx.rows({ name: `test.read ${name}`, text: `select * from ${name}` }),
      );
      await expect(read).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('of a revoked key are forgotten by every process within 5 s', async () => {
    const caller = await database.caller();
    const { id, secret } = await storeKey(caller, ['*']);
    const watching = new Grants(database.as('holdfast_auth', 1));
    const idle = new Grants(database.as('holdfast_auth', 1));
    watching.watch();
    let clock: jest.SpyInstance<number> | undefined;
    try {
      expect(await watching.forKey(secret)).toBeDefined();
      expect(await idle.forKey(secret)).toBeDefined();
      const [row] = await database.tenants(1).transaction(caller, async (tx) => {
        const revoked = await tx.rows(REVOKE, [id]);
        await tx.announce(fixtureMade());
        return revoked;
      });
      expect(row).toEqual({ revoked: true });
      // While the clock stands still nothing that is known grows old: what watches learns of it by its own looks.
      clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now());
      while (await watching.forKey(secret)) await sleep(50);
      expect(await idle.forKey(secret)).toBeDefined();
      clock.mockReturnValue(Date.now() + 5_001);
      expect(await idle.forKey(secret)).toBeUndefined();
    } finally {
      clock?.mockRestore();
      watching.close();
    }
  }, 15_000);

  it('are served from memory while the counter stands still, and not for 5 s without the database', async () => {
    const { secret } = await storeKey(await database.caller(), ['*']);
    const auth = new Database({ url: database.url('holdfast_auth'), name: 'test' });
    const cut = new Grants(auth);
    const first = await cut.forKey(secret);
    await auth.close(); // From here on nothing can be asked.
    expect(await cut.forKey(secret)).toBe(first);
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 5_001);
    try {
      await expect(cut.forKey(secret)).rejects.toThrow(DatabaseUnavailable);
    } finally {
      clock.mockRestore();
    }
  });
});
