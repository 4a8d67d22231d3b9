import { randomUUID } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import { type FilledTenant, fillTenant } from './filled-tenant';
import { type Answer, TestApi } from './test-api';

/** What an aggregate was at an instant, as whoever reads the trail is told. */
describe('The state of an aggregate', () => {
  let api: TestApi;
  let tenant: FilledTenant;

  beforeAll(async () => {
    api = await TestApi.start();
    tenant = await fillTenant(api);
  }, 60_000);
  afterAll(() => api.close());

  const state = (stream: string, at?: string, key = tenant.key): Promise<Answer> =>
    api.ask('GET', `/v1/audit/state?stream=${stream}${at ? `&at=${encodeURIComponent(at)}` : ''}`, { key });

  /** When each event of a stream happened. */
  const instants = async (stream: string): Promise<string[]> => {
    const { body } = await api.ask('GET', `/v1/audit/events?stream=${stream}`, { key: tenant.key });
    return (body['data'] as { occurredAt: string }[]).map(({ occurredAt }) => occurredAt).toReversed();
  };

  it('is what its events have made of it, up to each instant', async () => {
    const made = await api.ask('POST', '/v1/roles', {
      key: tenant.key,
      body: { name: randomUUID(), permissions: ['audit:read'] },
    });
    const id = String(made.body['id']);
    const stream = `identity.role/${id}`;
    const change = { permissions: ['audit:read', 'ledger:read'] };
    const headers = { 'if-match': String(made.headers['etag']) };
    const changed = await api.ask('PATCH', `/v1/roles/${id}`, { key: tenant.key, body: change, headers });
    await api.ask('DELETE', `/v1/roles/${id}`, {
      key: tenant.key,
      headers: { 'if-match': String(changed.headers['etag']) },
    });
    const [created = '', altered = '', removed = ''] = await instants(stream);
    const shape = { stream: { type: 'identity.role', id } };
    expect((await state(stream, '2026-01-01T00:00:00Z')).body).toEqual({
      ...{ ...shape, version: '0', at: '2026-01-01T00:00:00Z', lastEventAt: null, events: 0, state: null },
    });
    expect((await state(stream, created)).body).toEqual({
      ...{ ...shape, version: '1', at: created, lastEventAt: created, events: 1 },
      state: { permissions: ['audit:read'] },
    });
    expect((await state(stream, altered)).body).toMatchObject({ version: '2', state: change });
    expect((await state(stream.toUpperCase().replace('IDENTITY.ROLE', 'identity.role'))).body).toEqual({
      ...{ ...shape, version: '3', at: null, lastEventAt: removed, events: 3, state: null },
    });
  });

  it('of an account follows from the transfers and holds of others, as the ledger has it at any instant', async () => {
    const stream = `ledger.account/${tenant.cash}`;
    const { body } = await state(stream);
    const account = await api.ask('GET', `/v1/ledger/accounts/${tenant.cash}`, { key: tenant.key });
    expect(body['state']).toMatchObject({
      ...(account.body['balances'] as object),
      version: account.body['version'],
      isClosed: false,
    });
    const [placed] = await api.database.admin<{ at: string }>(
      `select to_char(occurred_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from events.log
       where tenant_id = $1 and type = 'ledger.hold.placed' order by stream_version, seq offset 1 limit 1`,
      [tenant.id],
    );
    const at = placed?.at ?? '';
    const then = await api.ask('GET', `/v1/ledger/accounts/${tenant.cash}?at=${at}`, { key: tenant.key });
    expect((await state(stream, at)).body['state']).toMatchObject(then.body['balances'] as object);
    expect(then.body['balances']).not.toEqual(account.body['balances']);
  });

  it('leaves no event out, where a clock has gone back', async () => {
    const made = await api.ask('POST', '/v1/roles', {
      key: tenant.key,
      body: { name: randomUUID(), permissions: ['audit:read'] },
    });
    const id = String(made.body['id']);
    let etag = String(made.headers['etag']);
    for (const permissions of [['ledger:read'], ['tenant:read']]) {
      const headers = { 'if-match': etag };
      const body = { permissions };
      etag = String(
        (await api.ask('PATCH', `/v1/roles/${id}`, { key: tenant.key, body, headers })).headers['etag'],
      );
    }
    const third = (await instants(`identity.role/${id}`))[2] ?? '';
    await api.database.admin(
      `update events.log set occurred_at = occurred_at + interval '1 hour'
       where tenant_id = $1 and stream_id = $2 and stream_version = 2`,
      [tenant.id, id],
    );
    expect((await state(`identity.role/${id}`, third)).body).toMatchObject({
      ...{ version: '1', state: { permissions: ['audit:read'] } },
    });
  });

  it('is the same over GraphQL', async () => {
    const stream = `ledger.account/${tenant.sales}`;
    const query = `query ($stream: String!) { auditState(stream: $stream) { version events state stream { id } } }`;
    const { body } = await api.graphql(tenant.key, query, { stream });
    const rest = (await state(stream)).body;
    expect(body['data']).toEqual({
      auditState: {
        version: rest['version'],
        events: rest['events'],
        state: rest['state'],
        stream: { id: tenant.sales },
      },
    });
  });

  it('is refused where there is none', async () => {
    const other = await api.tenant();
    const unknown = await state(`identity.role/${newId()}`);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'resource.not_found' } });
    const foreign = await state(`ledger.account/${tenant.cash}`, undefined, other.key);
    expect(foreign).toMatchObject({ status: 404, body: { code: 'resource.not_found' } });
    expect(await state('ledger.account/1')).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    const blind = await api.tenant(['ledger:read']);
    expect((await state(`ledger.account/${tenant.cash}`, undefined, blind.key)).status).toBe(403);
    const caller = await api.database.caller(tenant.id);
    const fact = newId();
    await api.database.tenants(1).transaction(caller, (tx) =>
      tx.announce({
        ...{ id: newId(), type: 'identity.access.refused', schemaVersion: 1, payload: '{}' },
        ...{ streamType: 'identity.access', streamId: fact, streamVersion: 1n },
      }),
    );
    expect(await state(`identity.access/${fact}`)).toMatchObject({
      status: 422,
      body: { code: 'audit.no_state' },
    });
  });

  it('is refused where an event is none of its type, or too many make it up', async () => {
    const caller = await api.database.caller(tenant.id);
    const id = newId();
    await api.database.tenants(1).transaction(caller, (tx) =>
      tx.announce({
        ...{ id: newId(), type: 'identity.role.created', schemaVersion: 1, payload: '{"permissions":7}' },
        ...{ streamType: 'identity.role', streamId: id, streamVersion: 1n },
      }),
    );
    expect(await state(`identity.role/${id}`)).toMatchObject({
      status: 422,
      body: { code: 'audit.not_foldable' },
    });
    await api.database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, occurred_at, data)
       select pg_current_xact_id(), $1, uuidv7(), 'identity.role', $2, n, 'identity.role.changed', 1, 'nobody', 'none', now(),
         '{"permissions": []}'
       from generate_series(2, 10001) n`,
      [tenant.id, id],
    );
    expect(await state(`identity.role/${id}`)).toMatchObject({
      status: 422,
      body: { code: 'audit.too_many_events' },
    });
  });

  it('is read on the record', async () => {
    await state(`ledger.account/${tenant.cash}`);
    const read: unknown[] = [];
    let more: string | undefined = '/v1/audit/events?type=audit.trail.read';
    // A page looks at so many events, of which none may be one of these.
    while (more !== undefined && read.length === 0) {
      const { body } = await api.ask('GET', more, { key: tenant.key });
      read.push(...(body['data'] as unknown[]));
      const after = body['nextCursor'] as string | null;
      more = after === null ? undefined : `/v1/audit/events?type=audit.trail.read&after=${after}`;
    }
    expect(read).toContainEqual(
      expect.objectContaining({ data: expect.objectContaining({ what: 'state' }) }),
    );
  });
});
