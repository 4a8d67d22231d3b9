import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { callerOf, Grants } from '@holdfast/tenancy';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { generateApiKey } from '../api-key';
import { ApiKeys } from '../api-keys.query';
import { CreateApiKey } from '../create-api-key.command';
import { IdentityModule } from '../identity.module';
import { RotateApiKey } from '../rotate-api-key.command';
import { EndSupportAccess } from './end-support-access.command';
import { StartSupportAccess, startSupportAccessInput } from './start-support-access.command';
import { SupportAccessById } from './support-access.query';

const REASON = 'Ticket 4711: a transfer is missing';
const OPEN = statement(
  'test.open_support_access',
  `select auth.open_support_access(gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), $1, $2, null, false)`,
);
const JOIN = statement(
  'test.join_tenant',
  "select auth.store_membership('https://issuer.test', 'operator', $1, '{ledger:write}')",
);

/** What would stay behind in the audit log. */
const LASTING = [
  `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by) values ($1, $1, 'k', 'u', 'c')`,
  `insert into audit.retention (tenant_id, keep_days) values ($1, 30)`,
  `insert into audit.subject_erasures (tenant_id, subject, related, status) values ($1, $1, '{}', 'erasing')`,
  `insert into audit.legal_holds (tenant_id, id, reason) values ($1, $1, 'r')`,
].map((text, place) => statement(`test.leave_behind_${place}`, text));

/** What stands there, and what would undo it. */
const UNDOING = [
  [
    `insert into audit.legal_holds (tenant_id, id, reason, placed_by) values ($1, $1, 'a case', 'system:test')`,
    'update audit.legal_holds set lifted_at = now(), lifted_by = $2 where tenant_id = $1',
  ],
  [
    `insert into audit.subject_erasures (tenant_id, subject, related, status, erased_at, requested_by) values ($1, $1, '{}', 'erased', now(), 's')`,
    `update audit.subject_erasures set status = 'erasing', erased_at = null, requested_by = $2 where tenant_id = $1`,
  ],
  [
    `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by) values ($1, $1, 'k', 'u', 'c')`,
    'delete from audit.witnesses where tenant_id = $1 and id::text <> $2',
  ],
] as const;

describe('StartSupportAccess', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let grants: Grants;
  let tenant: Caller;
  let operator: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
    const imports = [MessagesModule.forRoot(database.tenants()), IdentityModule.forRoot(grants)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  beforeEach(async () => {
    tenant = await database.caller();
    operator = await acting('operator', 'operator:alice');
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const acting = async (consumer: string, act: string): Promise<Caller> =>
    callerOf(await grants.forSystem(consumer, tenant.tenantId, '', act), { requestId: newId() });
  const start = async (more: object = {}, by = operator) => {
    const secret = generateApiKey('live');
    const input = startSupportAccessInput.parse({ reason: REASON, ...more });
    const access = await app.get(CommandBus).execute(new StartSupportAccess(by, input, secret));
    return { ...access, secret: secret.text };
  };
  const callerWith = async (secret: string): Promise<Caller> => {
    const grant = await new Grants(database.as('holdfast_auth', 1)).forKey(secret);
    if (!grant) throw new Error('the secret was not accepted');
    return callerOf(grant, { requestId: newId() });
  };
  const member = async (scopes: readonly string[]): Promise<string> => {
    const id = newId();
    await database.admin(
      'insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes) values ($1, $2, $3, $4, $5)',
      ['https://issuer.test', id, tenant.tenantId, id, scopes],
    );
    return id;
  };

  it('acts as itself beside the operator’s name, reads, and ends within half an hour', async () => {
    const { id, secret, expiresAt, ...access } = await start();
    expect(access).toMatchObject({
      operator: 'operator:alice',
      memberId: null,
      reason: REASON,
      endedAt: null,
    });
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(30 * 60_000);
    const caller = await callerWith(secret);
    expect(caller).toMatchObject({ actor: `support:${id}`, act: 'operator:alice', scopes: access.scopes });
    expect(caller.scopes.every((scope) => scope.endsWith(':read'))).toBe(true);
    await app.get(QueryBus).execute(new ApiKeys(caller, { limit: 1 }));
    await expect(app.get(CommandBus).execute(new EndSupportAccess(caller, { id }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });

  it('is announced without its reason, and seen by the tenant with it', async () => {
    const { id, scopes, expiresAt } = await start();
    const events = await database.admin(
      'select type, actor, act, data from events.log where stream_id = $1',
      [id],
    );
    const data = { memberId: null, scopes, expiresAt };
    const type = 'identity.support_access.started';
    expect(events).toEqual([{ type, actor: 'system:operator', act: 'operator:alice', data }]);
    const seen = await app.get(QueryBus).execute(new SupportAccessById(tenant, { id }));
    expect(seen).toMatchObject({ id, reason: REASON });
  });

  it('for a member holds what the member holds, and ends with the membership', async () => {
    const memberId = await member(['ledger:read', 'ledger:write', 'members:write']);
    const { secret, scopes } = await start({ memberId });
    expect(scopes).toEqual(['ledger:read']);
    expect(await callerWith(secret)).toMatchObject({ actor: `member:${memberId}`, act: 'operator:alice' });
    expect((await start({ memberId, scopes: ['ledger:write'] })).scopes).toEqual(['ledger:write']);
    await expect(start({ memberId, scopes: ['audit:read'] })).rejects.toMatchObject({
      code: 'identity.scope_not_held',
    });
    await database.admin("update auth.memberships set scopes = '{audit:read}' where member_id = $1", [
      memberId,
    ]);
    expect((await callerWith(secret)).scopes).toEqual([]);
    await database.admin('delete from auth.memberships where member_id = $1', [memberId]);
    await expect(callerWith(secret)).rejects.toThrow('not accepted');
    await expect(start({ memberId })).rejects.toMatchObject({ code: 'resource.not_found' });
  });

  it('has its limits in the database: who opens it, for how long and for what', async () => {
    const open = (caller: Caller, scopes: readonly string[], minutes: number | null) =>
      database.tenants(1).transaction(caller, async (tx) => {
        await tx.execute(OPEN, [scopes, minutes]);
        await tx.announce(fixtureMade());
      });
    await open(operator, ['ledger:write'], 30);
    const refused: [Caller, readonly string[], number | null][] = [
      [tenant, ['ledger:read'], 30],
      [await acting('operator', ''), ['ledger:read'], 30],
      [await acting('relay', 'operator:alice'), ['ledger:read'], 30],
      [operator, ['ledger:read'], 31],
      [operator, ['ledger:read'], 0],
      [operator, ['ledger:read'], null],
      [operator, [], 30],
      ...[
        '*',
        'operator',
        'keys:write',
        'members:write',
        'roles:write',
        'issuers:write',
        'support:write',
        'webhooks:write',
        'audit:write',
        'personal:write',
      ].map((scope): [Caller, readonly string[], number] => [operator, ['ledger:read', scope], 30]),
    ];
    for (const [caller, scopes, minutes] of refused) {
      await expect(open(caller, scopes, minutes)).rejects.toMatchObject({ code: 'HF003' });
    }
  });

  it('makes nothing that outlasts it, whatever the code above the database does', async () => {
    const { secret } = await start({ scopes: ['ledger:write'] });
    const caller = { ...(await callerWith(secret)), scopes: ['*'] };
    const make = (by: Caller) =>
      app
        .get(CommandBus)
        .execute(new CreateApiKey(by, { name: 'stay', scopes: ['ledger:write'] }, generateApiKey('live')));
    const { id } = await make(tenant);
    const refusal = { code: 'identity.scope_not_held' };
    await expect(make(caller)).rejects.toMatchObject(refusal);
    const rotation = new RotateApiKey(caller, { id, overlapSeconds: 0 });
    await expect(app.get(CommandBus).execute(rotation)).rejects.toMatchObject(refusal);
    const join = database.tenants(1).transaction(caller, (tx) => tx.execute(JOIN, [newId()]));
    await expect(join).rejects.toMatchObject({ code: 'HF003' });
    for (const each of LASTING) {
      const left = database.tenants(1).transaction(caller, (tx) => tx.execute(each, [tx.tenantId]));
      await expect(left).rejects.toMatchObject({ code: 'HF003' });
    }
  });

  it.each(UNDOING)('undoes nothing of the audit log: behind %s', async (before, change) => {
    const { secret } = await start({ scopes: ['ledger:write'] });
    const caller = await callerWith(secret);
    await database.admin(
      `set session_replication_role = replica; ${before.replaceAll('$1', `'${tenant.tenantId}'`)}`,
    );
    const undone = database
      .tenants(1)
      .transaction(caller, (tx) => tx.execute(statement(`test.undo_${newId()}`, change), [tx.tenantId, 'x']));
    await expect(undone).rejects.toMatchObject({ code: 'HF003' });
  });
});
