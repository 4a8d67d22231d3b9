import { type FoldReport, foldTenant } from '@holdfast/audit';
import { type FilledTenant, fillTenant } from './filled-tenant';
import { TestApi } from './test-api';

/** Folding the events gives the state: promise 4, and who breaks it is found. */
describe('The fold of all events', () => {
  let api: TestApi;

  beforeAll(async () => void (api = await TestApi.start()));
  afterAll(() => api.close());

  const fold = async (tenantId: string): Promise<FoldReport> =>
    foldTenant(api.database.tenants(1), await api.database.caller(tenantId));

  /** One page of work by the superuser, with the triggers off: nobody tells of it. */
  const tamper = (sql: string, values: readonly unknown[]): Promise<unknown> =>
    api.database.admin(sql, values);

  it('is what the tables hold, when everything was done in a tenant that can be', async () => {
    const { id } = await fillTenant(api);
    const report = await fold(id);
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ differenceCount: 0, prunedStreams: 0, unknownTypes: [] });
    expect(report.aggregates).toBeGreaterThan(20);
  }, 60_000);

  it('raises no false alarm while twenty write', async () => {
    const { id, key, cash, sales } = await fillTenant(api);
    const stopping = new AbortController();
    let written = 0;
    const write = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        const body = {
          debitAccountId: cash,
          creditAccountId: sales,
          amount: '1',
          pending: written % 2 === 0,
        };
        const { status } = await api.ask('POST', '/v1/ledger/transfers', { key, body });
        if (status === 201) written += 1;
      }
    };
    const writers = Array.from({ length: 20 }, write);
    const before = written;
    const reports: FoldReport[] = [];
    for (let run = 0; run < 5; run += 1) reports.push(await fold(id));
    const during = written - before;
    stopping.abort();
    await Promise.all(writers);
    expect(reports.flatMap(({ differences }) => differences)).toEqual([]);
    // Otherwise nobody has written meanwhile.
    expect(during).toBeGreaterThan(20);
    expect(new Set(reports.map(({ events }) => events)).size).toBeGreaterThan(1);
  }, 120_000);

  describe('names what somebody has changed past the commands', () => {
    let tenant: FilledTenant;
    beforeAll(async () => void (tenant = await fillTenant(api)), 60_000);

    const edits: readonly (readonly [
      stream: string,
      field: string,
      table: string,
      change: string,
      undo: string,
    ])[] = [
      ['identity.api_key', 'scopes', 'identity.api_keys', `scopes = '{*}'`, `scopes = '{audit:read}'`],
      [
        'identity.support_access',
        'isEnded',
        'identity.support_accesses',
        'ended_at = now()',
        'ended_at = null',
      ],
      [
        'identity.role',
        'permissions',
        'identity.roles',
        `permissions = '{members:write}'`,
        `permissions = '{audit:read,ledger:read}'`,
      ],
      ['identity.member', 'version', 'identity.members', 'stream_version = 9', 'stream_version = 2'],
      ['identity.issuer', 'version', 'identity.issuers', 'version = 9', 'version = 1'],
      [
        'ledger.account',
        'postedDebits',
        'ledger.accounts',
        'posted_debits = posted_debits + 1',
        'posted_debits = posted_debits - 1',
      ],
      [
        'ledger.account',
        'limit',
        'ledger.accounts',
        `limit_rule = 'credits_must_not_exceed_debits'`,
        `limit_rule = 'none'`,
      ],
      ['ledger.transfer', 'amount', 'ledger.transfers', 'amount = amount - 1', 'amount = amount + 1'],
      ['ledger.hold', 'amount', 'ledger.transfers', 'amount = amount - 1', 'amount = amount + 1'],
      [
        'ledger.period',
        'closedThrough',
        'ledger.books',
        `closed_through = '2026-08-30'`,
        `closed_through = '2026-08-31'`,
      ],
      [
        'tenants.tenant',
        'settings',
        'tenants.tenants',
        `settings = '{"timeZone":"UTC"}'`,
        `settings = '{"timeZone":"Europe/Vienna"}'`,
      ],
      ['tenants.export', 'status', 'tenants.exports', `status = 'failed'`, `status = 'queued'`],
      ['telemetry.write_key', 'isRevoked', 'telemetry.write_keys', 'revoked_at = now()', 'revoked_at = null'],
      [
        'webhooks.endpoint',
        'disabledReason',
        'webhooks.endpoints',
        'disabled_at = null, disabled_reason = null',
        `disabled_at = now(), disabled_reason = 'tenant'`,
      ],
    ];

    it.each(edits)('in %s: %s', async (stream, field, table, change, undo) => {
      const where = WHICH[stream] ?? 'true';
      const rows = `ctid = (select ctid from ${table} where tenant_id = $1 and ${where} order by ctid limit 1)`;
      const key = table === 'ledger.books' || table === 'tenants.tenants' ? 'tenant_id' : 'id';
      const [row] = await api.database.admin<{ id: string }>(
        `update ${table} set ${change} where tenant_id = $1 and ${rows} returning ${key} as id`,
        [tenant.id],
      );
      const { differences } = await fold(tenant.id);
      await tamper(`update ${table} set ${undo} where tenant_id = $1 and ${key} = $2`, [tenant.id, row?.id]);
      expect(differences).toContainEqual(expect.objectContaining({ stream: `${stream}/${row?.id}`, field }));
      expect((await fold(tenant.id)).differences).toEqual([]);
    });

    it('when a row is gone, and when there is one of which no event tells', async () => {
      const [row] = await api.database.admin<{ id: string; row: object }>(
        `delete from identity.invitations where tenant_id = $1 and revoked_at is not null returning id, to_jsonb(invitations) as row`,
        [tenant.id],
      );
      const { differences } = await fold(tenant.id);
      expect(differences).toEqual([
        { stream: `identity.invitation/${row?.id}`, field: 'row', table: 'no row', fold: 'a row' },
      ]);
      await tamper(
        `insert into identity.invitations select r.* from jsonb_populate_record(null::identity.invitations, $1) r`,
        [JSON.stringify(row?.row)],
      );
      const [made] = await api.database.admin<{ id: string }>(
        `insert into identity.roles (tenant_id, id, name, permissions) values ($1, gen_random_uuid(), 'made', '{*}') returning id`,
        [tenant.id],
      );
      expect((await fold(tenant.id)).differences).toEqual([
        { stream: `identity.role/${made?.id}`, field: 'events', table: 'a row', fold: 'no events' },
      ]);
      await tamper('delete from identity.roles where id = $1', [made?.id]);
    });

    it('when an event is gone, or says something else', async () => {
      const [event] = await api.database.admin<{ stream_id: string; row: object; id: string }>(
        `delete from events.log where tenant_id = $1 and stream_type = 'identity.api_key' and type = 'identity.api_key.created'
           and stream_id in (select stream_id from events.log where type = 'identity.api_key.rotated')
         returning stream_id, id, to_jsonb(log) as row`,
        [tenant.id],
      );
      const stream = `identity.api_key/${event?.stream_id}`;
      expect((await fold(tenant.id)).differences).toContainEqual(
        expect.objectContaining({ stream, field: 'version', fold: '1 is missing' }),
      );
      await tamper(
        `insert into events.log overriding system value
         select r.* from jsonb_populate_record(null::events.log, $1::jsonb || '{"data": {"prefix": 7}}') r`,
        [JSON.stringify(event?.row)],
      );
      expect((await fold(tenant.id)).differences).toContainEqual(
        expect.objectContaining({ stream, field: 'event', table: event?.id }),
      );
    });
  });
});

/** Which row of a table is of that stream, where not each is. */
const WHICH: Readonly<Record<string, string>> = {
  'identity.api_key': `name = 'key'`,
  'telemetry.write_key': `name = 'shop'`,
  'identity.member': 'removed_at is null',
  'ledger.account': `code = 'cash'`,
  'ledger.transfer': `kind = 'transfer' and refusal is null and amount = 7`,
  'ledger.hold': `kind = 'hold'`,
};
