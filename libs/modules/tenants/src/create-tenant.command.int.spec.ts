import { MessagesModule } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { CreateTenant, createTenantInput } from './create-tenant.command';
import { OwnTenant } from './own-tenant.query';
import { TenantDirectory } from './tenant-directory.query';
import { TenantsModule } from './tenants.module';

describe('CreateTenant', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(new Grants(database.as('holdfast_auth')), undefined),
      TenantsModule.forRoot(database.as('holdfast_ops')),
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const create = async (slug: string) => {
    const caller = await database.caller();
    return {
      caller,
      tenant: await app.get(CommandBus).execute(new CreateTenant(caller, { slug, name: slug })),
    };
  };

  it('creates the tenant that its caller stands for, and announces it', async () => {
    const { caller, tenant } = await create('first');
    expect(tenant).toMatchObject({ id: caller.tenantId, slug: 'first' });
    expect(await app.get(QueryBus).execute(new OwnTenant(caller, {}))).toMatchObject({
      id: tenant.id,
      slug: 'first',
      state: 'active',
      plan: { name: 'standard', features: ['custom_roles', 'single_sign_on'] },
      settings: {
        supportAccessAllowed: true,
        apiKeyLifetimeDaysMax: null,
        memberActivityRecorded: true,
        timeZone: 'UTC',
      },
      version: '1',
    });
    const events = await database.admin('select type, data from events.log where tenant_id = $1', [
      caller.tenantId,
    ]);
    expect(events).toEqual([{ type: 'tenants.tenant.created', data: { slug: 'first' } }]);
  });

  it('refuses a slug that another tenant has', async () => {
    await create('taken');
    await expect(create('taken')).rejects.toMatchObject({ code: 'tenants.slug_taken' });
  });

  it('takes no slug that could be another tenant’s id', () => {
    const slugs = ['abcdef01-0000-7000-8000-000000000001', 'abcdef01'];
    expect(slugs.map((slug) => createTenantInput.safeParse({ slug, name: 'x' }).success)).toEqual([
      false,
      true,
    ]);
  });

  it('is the operator’s alone', async () => {
    const caller = { ...(await database.caller()), scopes: ['tenant:read'] };
    const command = new CreateTenant(caller, { slug: 'mine', name: 'mine' });
    await expect(app.get(CommandBus).execute(command)).rejects.toMatchObject({ code: 'auth.forbidden' });
  });

  it('lists tenants by slug in pages, for the operator', async () => {
    for (const slug of ['page-c', 'page-a', 'page-b']) await create(slug);
    const directory = app.get(TenantDirectory);
    const slugs: string[] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await directory.list({ limit: 2, after });
      slugs.push(...page.data.map((tenant) => tenant.slug ?? ''));
      after = page.nextCursor ?? undefined;
      more = after !== undefined;
    }
    expect(slugs.filter((slug) => slug.startsWith('page-'))).toEqual(['page-a', 'page-b', 'page-c']);
    expect(await directory.get('page-a')).toMatchObject({ slug: 'page-a' });
    await expect(directory.get('nobody')).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
