import { randomUUID } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import { TestApi } from './test-api';

const GROUPS = '/v1/operator/events/groups';
const KEY = 'probe.thing/1';
const reason = 'the consumer was mended';

// Operators act on groups for a reason that is kept, and tenants read in their trails what was done in them.
describe('Consumer groups over HTTP', () => {
  let api: TestApi;
  let tenant: { readonly id: string; readonly key: string };

  beforeAll(async () => {
    api = await TestApi.start();
    // As workers register them.
    await api.database.admin(
      `insert into events.groups (name, kind, replay, from_tick) values ('usage', 'tenant', 'reset', 0),
         ('clickhouse', 'store', 'idempotent', 0), ('mails', 'tenant', 'never', 0), ('feeds', 'tenant', 'idempotent', 0)`,
    );
  });
  beforeEach(async () => {
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  /** A key that the group has set aside, with two events. */
  const park = async (group: string, state: 'quarantined' | 'retrying' = 'quarantined'): Promise<string> => {
    const failed = newId();
    await api.database.admin(
      `insert into events.parked_keys (tenant_id, group_name, key, state, attempts, retry_at, failed_event_id, event_count)
       values ($1, $2, $3, $4, 8, case when $4 = 'retrying' then now() end, $5, 2)`,
      [tenant.id, group, KEY, state, failed],
    );
    return failed;
  };
  const trail = async (type: string): Promise<unknown> =>
    (await api.ask('GET', `/v1/audit/events?type=${type}`, { key: tenant.key })).body;

  it('are listed with what the leader has measured', async () => {
    await api.database.admin(
      `insert into events.group_lags (group_name, lagging_keys, lagging_events, lag_seconds, parked_keys, parked_events, quarantined_keys)
       values ('usage', 2, 10001, 3.25, 1, 2, 1)`,
    );
    const { body } = await api.operator('GET', GROUPS);
    expect(body).toMatchObject({
      data: [
        { group: 'clickhouse', kind: 'store', lag: null, measuredAt: null },
        { group: 'feeds' },
        { group: 'mails', replay: 'never' },
        {
          group: 'usage',
          lag: { keys: 2, events: 10_001, seconds: 3.25 },
          parked: { keys: 1, events: 2, quarantined: 1 },
        },
      ],
    });
    expect(await api.operator('GET', `${GROUPS}/nobody`)).toMatchObject({ status: 404 });
    expect(await api.ask('GET', GROUPS, { key: tenant.key })).toMatchObject({ status: 401 });
  });

  it('are paused and resumed once for a request, with who and why', async () => {
    const idempotencyKey = randomUUID();
    const paused = { status: 200, body: { pausedBy: 'operator:operator', pausedReason: reason } };
    const pause = { body: { reason }, idempotencyKey };
    expect(await api.operator('POST', `${GROUPS}/feeds/pause`, pause)).toMatchObject(paused);
    expect(await api.operator('POST', `${GROUPS}/feeds/pause`, pause)).toMatchObject(paused);
    const replayed = await api.operator('POST', `${GROUPS}/feeds/pause`, pause);
    expect(replayed.headers).toMatchObject({ 'idempotency-replayed': 'true' });
    expect(await api.operator('POST', `${GROUPS}/feeds/resume`, pause)).toMatchObject({
      status: 422,
      body: { code: 'idempotency.key_reused' },
    });
    const resumed = await api.operator('POST', `${GROUPS}/feeds/resume`, { body: { reason: 'go on' } });
    expect(resumed).toMatchObject({ status: 200, body: { pausedAt: null } });
    const { body } = await api.operator('GET', `${GROUPS}/feeds`);
    expect(body).toMatchObject({
      actions: [
        { action: 'resume', by: 'operator:operator', reason: 'go on' },
        { action: 'pause', by: 'operator:operator', reason },
      ],
    });
    expect(await api.operator('POST', `${GROUPS}/feeds/pause`, { body: {} })).toMatchObject({ status: 422 });
  });

  it('are replayed as far as they allow it', async () => {
    const replay = (group: string, body: object): ReturnType<TestApi['operator']> =>
      api.operator('POST', `${GROUPS}/${group}/replay`, { body: { reason, ...body } });
    expect(await replay('usage', { from: 'beginning' })).toMatchObject({
      status: 200,
      body: { group: 'usage', tenantId: null, tick: '0', madeAt: null },
    });
    const refusals = [
      ['usage', { from: { tick: '1' } }, 'events.replays_from_beginning'],
      ['mails', { from: 'beginning' }, 'events.not_replayable'],
      ['clickhouse', { from: 'beginning', tenantId: tenant.id }, 'events.store_has_no_tenants'],
    ] as const;
    for (const [group, body, code] of refusals)
      expect(await replay(group, body)).toMatchObject({ status: 422, body: { code } });
    expect(await replay('feeds', { from: { at: '2026-11-26T09:00:00Z' } })).toMatchObject({
      status: 200,
      body: { tick: '0' },
    });
    expect(await replay('feeds', { from: { at: 'yesterday' } })).toMatchObject({ status: 422 });
    expect(await replay('feeds', { from: 'beginning', tenantId: newId() })).toMatchObject({ status: 404 });
    const one = await replay('feeds', { from: 'beginning', tenantId: tenant.id });
    expect(one).toMatchObject({ status: 200, body: { tenantId: tenant.id, tick: '0' } });
    await replay('feeds', { from: 'beginning', tenantId: tenant.id });
    expect(await trail('delivery.consumer.replayed')).toMatchObject({
      data: [1, 2].map(() => ({
        actor: 'system:operator',
        act: 'operator:operator',
        data: { group: 'feeds', tick: '0' },
      })),
    });
    expect(
      await api.database.admin(
        'select rewind_to, generation from events.tenant_cursors where tenant_id = $1',
        [tenant.id],
      ),
    ).toEqual([{ rewind_to: '0', generation: -2 }]);
  });

  it('show what they have set aside, and let it go on', async () => {
    const failed = await park('feeds');
    await park('usage', 'retrying');
    const listed = await api.operator('GET', `${GROUPS}/feeds/parked-keys?state=quarantined&limit=1`);
    expect(listed.body).toMatchObject({
      data: [{ tenantId: tenant.id, key: KEY, state: 'quarantined', eventCount: 2, failedEventId: failed }],
    });
    const release = (group: string, body: object): ReturnType<TestApi['operator']> =>
      api.operator('POST', `${GROUPS}/${group}/parked-keys/release`, {
        body: { tenantId: tenant.id, key: KEY, reason, ...body },
      });
    // One that is tried again by itself is nobody's to release.
    expect(await release('usage', {})).toMatchObject({
      status: 409,
      body: { code: 'events.not_quarantined' },
    });
    const other = await api.tenant();
    expect(await release('feeds', { tenantId: other.id })).toMatchObject({ status: 409 });
    expect(await release('feeds', { skipFailed: true })).toMatchObject({
      status: 200,
      body: { state: 'releasing', eventCount: 2, skippedEventId: failed },
    });
    expect(await release('feeds', {})).toMatchObject({ status: 409 });
    expect(await trail('delivery.parked_key.released')).toMatchObject({
      data: [{ act: 'operator:operator', data: { group: 'feeds', key: KEY, skippedEventId: failed } }],
    });
    expect(
      await api.database.admin(
        `select state, released_by, released_reason, skip_event_id from events.parked_keys where tenant_id = $1 and group_name = 'feeds'`,
        [tenant.id],
      ),
    ).toEqual([
      {
        state: 'releasing',
        released_by: 'operator:operator',
        released_reason: reason,
        skip_event_id: failed,
      },
    ]);
  });
});
