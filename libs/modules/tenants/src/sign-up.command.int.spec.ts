import { randomUUID } from 'node:crypto';
import type { Principal } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { SignUp, tenantIdOf } from './sign-up.command';
import type { TenantView } from './tenant-view';
import { SignedUpAlready, SlugTaken } from './tenants.errors';
import { TenantsModule } from './tenants.module';

describe('SignUp', () => {
  let database: TestDatabase;
  let grants: Grants;
  let app: INestApplicationContext;

  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth'));
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(grants, undefined),
      TenantsModule.forRoot(database.as('holdfast_ops')),
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const somebody = (): Principal => ({
    issuer: 'https://id.example.com',
    subject: randomUUID(),
    claims: {},
    tokenHash: Buffer.alloc(32),
  });
  const signUp = async (
    principal: Principal,
    slug = `s-${randomUUID()}`,
    key?: string,
  ): Promise<TenantView> => {
    const grant = await grants.forSystem('sign-up', tenantIdOf(principal));
    const idempotency = key === undefined ? undefined : { key, replayed: false };
    const command = new SignUp(
      callerOf(grant, { requestId: 'r' }),
      { slug, name: slug },
      principal,
      idempotency,
    );
    return app.get(CommandBus).execute(command);
  };

  it('begins a tenant whose owner is the person', async () => {
    const person = somebody();
    const tenant = await signUp(person);
    expect(tenant).toMatchObject({ id: tenantIdOf(person), state: 'active' });
    expect(await grants.forMember(person.issuer, person.subject, tenant.id)).toMatchObject({ scopes: ['*'] });
    const events = await database.admin<{ type: string; actor: string }>(
      'select type, actor from events.log where tenant_id = $1 order by seq',
      [tenant.id],
    );
    expect(events).toEqual([
      { type: 'tenants.tenant.created', actor: 'system:sign-up' },
      { type: 'identity.member.added', actor: 'system:sign-up' },
    ]);
  });

  it('happens once for each person, however often they ask at once', async () => {
    const person = somebody();
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => signUp(person)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of tries)
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(SignedUpAlready);
  });

  it('answers a repeated request with the tenant that it made', async () => {
    const person = somebody();
    const first = await signUp(person, 'repeated', 'key');
    expect(await signUp(person, 'repeated', 'key')).toEqual(first);
  });

  it('leaves nothing of a tenant whose slug is taken', async () => {
    const person = somebody();
    await signUp(somebody(), 'in-use');
    await expect(signUp(person, 'in-use')).rejects.toBeInstanceOf(SlugTaken);
    expect(await grants.forMember(person.issuer, person.subject, tenantIdOf(person))).toBeUndefined();
    await expect(signUp(person)).resolves.toMatchObject({ id: tenantIdOf(person) });
  });
});
