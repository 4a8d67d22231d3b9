import { newId } from '@holdfast/kernel';
import { type Caller } from '@holdfast/kernel';
import { Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { generateApiKey } from '../api-key';
import { AccessRefusals } from './access-refusals';

const CODE = 'auth.forbidden';
const ROUTE = 'GET /v1/ledger/accounts';

describe('AccessRefusals', () => {
  let database: TestDatabase;
  let refusals: AccessRefusals;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  beforeEach(async () => {
    refusals = new AccessRefusals(new Grants(database.as('holdfast_auth', 1)), database.tenants(1));
    caller = await database.caller();
  });
  afterEach(() => refusals.onApplicationShutdown());
  afterAll(() => database.drop());

  const owner = (actor = 'api_key:1') => ({ tenantId: caller.tenantId, actor, act: undefined });
  const told = async () => {
    const rows = await database.admin<{ actor: string; data: Record<string, unknown> }>(
      "select actor, data from events.log where tenant_id = $1 and type = 'identity.access.refused' order by seq",
      [caller.tenantId],
    );
    return rows.map(({ data }) => data);
  };

  it('tells the first at once, and those that follow together', async () => {
    refusals.record(owner(), CODE, ROUTE);
    await refusals.flush();
    const first = { actor: 'api_key:1', act: null, code: CODE, route: ROUTE, count: 1 };
    expect(await told()).toMatchObject([first]);
    for (let request = 0; request < 1_000; request += 1) refusals.record(owner(), CODE, ROUTE);
    await refusals.flush();
    expect(await told()).toHaveLength(1);
    await refusals.flush(true);
    expect(await told()).toMatchObject([first, { ...first, count: 1_000 }]);
  });

  it('tells actors, codes and routes apart', async () => {
    refusals.record(owner(), CODE, ROUTE);
    refusals.record(owner(), CODE, 'POST /graphql');
    refusals.record(owner(), 'limits.rate_exceeded', ROUTE);
    refusals.record(owner('api_key:2'), CODE, ROUTE);
    refusals.record({ ...owner(), act: 'operator:alice' }, CODE, ROUTE);
    await refusals.flush();
    expect(await told()).toHaveLength(5);
  });

  it('finds the owner of a key that is dead, and nobody of one that never was', async () => {
    const [dead, guessed] = [generateApiKey('live'), generateApiKey('live')];
    const id = newId();
    await database.admin(
      `insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, revoked_at)
       values ($1, $2, $3, '{*}', now())`,
      [dead.hash, caller.tenantId, id],
    );
    for (const { text } of [dead, guessed]) refusals.recordKey(text, 'auth.invalid_credential', ROUTE);
    await refusals.flush();
    expect(await told()).toMatchObject([{ actor: `api_key:${id}`, code: 'auth.invalid_credential' }]);
  });

  it('tells a suspended tenant as well, and forgets one that is gone', async () => {
    await database.admin("insert into auth.tenants (id, state) values ($1, 'suspended')", [caller.tenantId]);
    refusals.record(owner(), 'tenants.suspended', ROUTE);
    await refusals.flush();
    expect(await told()).toHaveLength(1);
    await database.admin("update auth.tenants set state = 'erased' where id = $1", [caller.tenantId]);
    const fresh = new AccessRefusals(new Grants(database.as('holdfast_auth', 1)), database.tenants(1));
    fresh.record(owner(), 'tenants.closed', ROUTE);
    await fresh.onApplicationShutdown();
    expect(await told()).toHaveLength(1);
  });

  it('counts on while the database refuses, and tells all of it afterwards', async () => {
    await database.admin('revoke execute on function events.append from holdfast_app');
    refusals.record(owner(), CODE, ROUTE);
    await refusals.flush();
    refusals.record(owner(), CODE, ROUTE);
    expect(await told()).toEqual([]);
    await database.admin('grant execute on function events.append to holdfast_app');
    await refusals.flush();
    expect(await told()).toMatchObject([{ count: 2 }]);
  });
});
