import { type Caller, newId } from '@holdfast/kernel';
import { sqlState, TenantContextRefused, UtilityStatementRefused } from '@holdfast/database';
import { fixtureMade, TestDatabase, testRoutes } from '@holdfast/testing';
import { callerOf, readGrant } from './grant';
import { Attack, SECRET } from '../test/attack';
import type { TenantDatabase } from './tenant-database';

const COUNT = 'select tenant_id, slug from tenants.tenants';
const CONTEXT = `select current_setting('holdfast.context', true) as context`;

describe.each(testRoutes())('A tenant context, $route', (route) => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let attacker: Caller;
  let victim: Caller;
  const attack = new Attack('context', (tenantId) => tenantId === victim.tenantId);
  const inject: Attack['inject'] = (...attempt) => attack.inject(...attempt);

  beforeAll(async () => {
    database = await TestDatabase.createFor(route);
    tenants = database.tenants();
    [attacker, victim] = [await database.caller(newId()), await database.caller(newId())];
    for (const [caller, slug] of [
      [attacker, 'attacker'],
      [victim, SECRET],
    ] as const) {
      await tenants.transaction(caller, async (tx) => {
        const insert = 'insert into tenants.tenants (tenant_id, slug, name) values ($1, $2, $2)';
        await inject(tx, insert, [caller.tenantId, slug]);
        await tx.announce(fixtureMade());
      });
    }
  });
  afterAll(() => database.drop());

  const contextOf = (caller: Caller): Promise<string> =>
    tenants.transaction(caller, async (tx) => (await inject<{ context: string }>(tx, CONTEXT))[0]!.context);
  const readUnder = (context: string, isLocal: boolean): Promise<unknown[]> =>
    tenants.transaction(attacker, async (tx) => {
      await inject(tx, `select set_config('holdfast.context', $1, ${isLocal})`, [context]);
      return inject(tx, COUNT);
    });

  /** Every character of the text changed, one at a time, and the ends cut off. */
  const tampered = (signed: string): string[] => [
    ...Array.from(
      signed,
      (character, at) => signed.slice(0, at) + (character === '0' ? '1' : '0') + signed.slice(at + 1),
    ),
    ...[1, 8, 64, 65, 69, 105, 121].flatMap((length) => [
      signed.slice(length),
      signed.slice(0, length),
      signed.slice(0, -length),
    ]),
    ...['', ' ', '0'.repeat(64), signed + signed, `${signed} `, signed.toUpperCase()],
  ];

  it('cannot be changed by a SET statement', async () => {
    for (const text of [
      'set holdfast.context = $$x$$',
      'set local holdfast.context to x',
      'reset holdfast.context',
      '/* /* */ select */ reset all',
    ]) {
      await expect(tenants.transaction(attacker, (tx) => inject(tx, text))).rejects.toThrow(
        UtilityStatementRefused,
      );
    }
  });

  it('is refused when any character of it was changed in its own transaction', async () => {
    const length = (await contextOf(attacker)).length;
    expect(length).toBeGreaterThan(130);
    for (let variant = 0; variant < tampered('x'.repeat(length)).length; variant += 1) {
      const changed = tenants.transaction(attacker, async (tx) => {
        const [row] = await inject<{ context: string }>(tx, CONTEXT);
        await inject(tx, `select set_config('holdfast.context', $1, true)`, [
          tampered(row!.context)[variant],
        ]);
        return inject(tx, COUNT);
      });
      await expect(changed).rejects.toThrow(TenantContextRefused);
    }
  });

  it('is refused with the tenant of somebody else in it', async () => {
    const swapped = tenants.transaction(attacker, async (tx) => {
      const text = `select set_config('holdfast.context', overlay(current_setting('holdfast.context') placing $1 from 69), true)`;
      await inject(tx, text, [victim.tenantId]);
      return inject(tx, COUNT);
    });
    await expect(swapped).rejects.toThrow(TenantContextRefused);
  });

  it.each([true, false])('is refused in another transaction (set locally: %s)', async (isLocal) => {
    for (const context of [
      await contextOf(attacker),
      await contextOf(victim),
      attacker.grant,
      victim.grant,
      '',
    ]) {
      await expect(readUnder(context, isLocal)).rejects.toThrow(TenantContextRefused);
    }
    // What was set for the session is gone with the next transaction.
    expect(await tenants.transaction(attacker, (tx) => inject(tx, COUNT))).toEqual([
      { tenant_id: attacker.tenantId, slug: 'attacker' },
    ]);
  });

  it('is refused on another connection while its own transaction is open', async () => {
    await tenants.transaction(victim, async (tx) => {
      const [row] = await inject<{ context: string }>(tx, CONTEXT);
      await expect(readUnder(row!.context, true)).rejects.toThrow(TenantContextRefused);
    });
  });

  it('can be lost by a statement and then shows nothing', async () => {
    for (const text of [
      `select set_config('holdfast.context', null, true)`,
      `select set_config('holdfast.context', '', false)`,
    ]) {
      const lost = tenants.transaction(attacker, async (tx) => {
        await inject(tx, text);
        return inject(tx, COUNT);
      });
      await expect(lost).rejects.toThrow(TenantContextRefused);
    }
  });

  it('is swapped by no statement that changes it while it reads', async () => {
    const text = `select t.tenant_id from tenants.tenants t, (select set_config('holdfast.context', $1, true)) s`;
    const outcome = await tenants
      .transaction(attacker, (tx) => inject(tx, text, [victim.grant]))
      .catch(sqlState);
    expect(JSON.stringify(outcome ?? 'refused')).not.toContain(victim.tenantId);
  });

  it('needs a grant of which every character is genuine', async () => {
    for (const grant of tampered(attacker.grant)) {
      await expect(tenants.transaction({ ...attacker, grant }, (tx) => inject(tx, COUNT))).rejects.toThrow(
        TenantContextRefused,
      );
      await expect(
        tenants.transaction(attacker, (tx) => inject(tx, 'select tenancy.enter($1)', [grant])),
      ).rejects.toThrow(TenantContextRefused);
    }
  });

  it('is not opened by a context in place of a grant', async () => {
    const grant = await contextOf(victim);
    await expect(tenants.transaction({ ...victim, grant }, (tx) => inject(tx, COUNT))).rejects.toThrow(
      TenantContextRefused,
    );
  });

  it('does not take the actor of another tenant from its grant', async () => {
    const own = await tenants.transaction(attacker, (tx) =>
      inject(tx, 'select tenancy.grant_actor($1) as actor', [attacker.grant]),
    );
    expect(own).toEqual([{ actor: 'system:test' }]);
    const foreign = tenants.transaction(attacker, (tx) =>
      inject(tx, 'select tenancy.grant_actor($1)', [victim.grant]),
    );
    await expect(foreign).rejects.toThrow(TenantContextRefused);
  });

  it('ends with the expiry of its grant, and with the life of its signing key', async () => {
    const mint = async (expiry: string): Promise<Caller> => {
      const sql = `select tenancy.mint($1, 'system:test', '{*}', clock_timestamp() + $2::interval) as signed`;
      const [row] = await database.admin<{ signed: string }>(sql, [attacker.tenantId, expiry]);
      return callerOf(readGrant(row!.signed), { requestId: newId() });
    };
    const read = (caller: Caller): Promise<unknown[]> =>
      tenants.transaction(caller, (tx) => inject(tx, COUNT));
    await expect(read(await mint('-1 millisecond'))).rejects.toThrow(TenantContextRefused);
    const ofOldKey = await mint('5 minutes');
    const [rotated] = await database.admin<{ id: string }>('select tenancy.rotate_signing_key() as id');
    expect((await mint('5 minutes')).grant.slice(64, 68)).toBe(rotated!.id);
    // A rotation ends nobody's work; the end of the old key does.
    expect(await read(ofOldKey)).toHaveLength(1);
    expect(await read(await mint('5 minutes'))).toHaveLength(1);
    await database.admin(
      'update tenancy.signing_keys set retired_at = clock_timestamp() where retired_at is not null',
    );
    await expect(read(ofOldKey)).rejects.toThrow(TenantContextRefused);
    expect(await read(await mint('5 minutes'))).toHaveLength(1);
  });

  it('has been attacked, and has shown nothing', () => {
    attack.report(route.route);
    expect(attack.attempts).toBeGreaterThan(500);
    expect(attack.foreignRows).toBe(0);
  });
});
