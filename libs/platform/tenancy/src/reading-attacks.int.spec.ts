import { type Caller, newId } from '@holdfast/kernel';
import { sqlState } from '@holdfast/database';
import { fixtureMade, TestDatabase, testRoutes } from '@holdfast/testing';
import { Attack, SECRET, textOf } from '../test/attack';
import type { TenantDatabase } from './tenant-database';

/** Each reads, or makes PostgreSQL say, something about rows; `$1` is the victim's tenant id. */
const READS = [
  'select to_jsonb(t) as row from tenants.tenants t where t.tenant_id = $1',
  'select to_jsonb(t) as row from tenants.tenants t where $1::uuid is not null union all select to_jsonb(k) from identity.api_keys k',
  'select to_jsonb(l) as row, $1::uuid from events.log l',
  'select (select jsonb_agg(a) from idempotency.answers a where a.tenant_id = $1) as row',
  'select $1::uuid, t.* from tenants.tenants t full join identity.api_keys k on true',
  `select $1::uuid, t.* from tenants.tenants t where t.ctid = any (array['(0,1)', '(0,2)', '(0,3)']::tid[])`,
  'with w as materialized (select * from identity.api_keys where tenant_id = $1) select * from w',
  'select k.* from generate_series(1, 3) g, lateral (select * from identity.api_keys where tenant_id = $1) k',
  'select jsonb_agg(t) filter (where t.tenant_id = $1) over () as row from tenants.tenants t',
  'select * from identity.api_keys where tenant_id = $1 or true order by 1 limit 100',
  'select * from identity.api_keys where tenant_id = $1 for update',
  'select $1::uuid, * from identity.api_keys tablesample system (100)',
  'update identity.api_keys set name = name where tenant_id = $1 or true returning *',
  'delete from identity.api_keys where tenant_id = $1 or true returning *',
  `update tenants.tenants t set name = k.name from identity.api_keys k where k.tenant_id = $1 returning t.*, k.*`,
  `insert into tenants.tenants (tenant_id, slug, name) values ($1, 'other', 'x') returning *`,
  `insert into tenants.tenants (tenant_id, slug, name) values ($1, 'other', 'x') on conflict (tenant_id) do update set name = 'x' returning *`,
  `insert into tenants.tenants (tenant_id, slug, name) values (gen_random_uuid(), '${SECRET}', $1::text) on conflict (slug) do update set name = 'x' returning *`,
  'update tenants.tenants set tenant_id = $1 returning *',
  `merge into tenants.tenants t using (select $1::uuid as id) s on t.tenant_id = s.id when matched then update set name = 'x' when not matched then insert (tenant_id, slug, name) values (s.id, 'other', 'x') returning t.*`,
  `select set_config('row_security', 'off', true), t.*, $1::uuid from tenants.tenants t`,
  // What goes wrong with a row could tell what is in it.
  'select 1 / (case when t.tenant_id = $1 then 0 else 1 end) as row from tenants.tenants t',
  'select t.name::int as row from tenants.tenants t where t.tenant_id = $1 or t.name::int = 1',
  `select xpath(t.name, '<a/>') as row from tenants.tenants t where t.tenant_id = $1`,
  `select t.name::json as row, $1::uuid from tenants.tenants t`,
  `select set_config('application_name', t.name, false) as row from tenants.tenants t where t.tenant_id = $1`,
  // What runs before the policy has chosen would have seen more rows than it shows.
  `select t.tenant_id, current_setting('attack.seen', true) as row from tenants.tenants t where set_config('attack.seen', t.name, true) is not null or t.tenant_id = $1`,
  `select current_setting('attack.seen', true) as row, (select count(set_config('attack.seen', k.name, true)) from identity.api_keys k), $1::uuid`,
  'select name from identity.api_keys where name ~ name and $1::uuid is not null order by regexp_replace(name, name, name)',
  'select max(name) over (order by name rows between unbounded preceding and unbounded following) as row, $1::uuid from identity.api_keys',
  `select $1::uuid, d.* from events.log l, jsonb_path_query(jsonb_build_array(l.data), '$.**') d`,
  `select substr('x', 1, length(name) - 1000000) as row from identity.api_keys where tenant_id = $1 or true`,
  `select (name || '.1')::numeric as row, $1::uuid from identity.api_keys`,
  `select array_agg(k) as row, $1::uuid from identity.api_keys k group by grouping sets ((), (name), (tenant_id))`,
  `with recursive w (name) as (select name from identity.api_keys union select k.name from identity.api_keys k, w where $1::uuid is not null) select name from w`,
  'with moved as (update identity.api_keys set tenant_id = $1 where false or tenant_id <> $1 returning name) select * from moved',
  `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by) select tenancy.tenant_id(), gen_random_uuid(), name, prefix, scopes, created_by from identity.api_keys where tenant_id = $1 or true returning name`,
  // What runs SQL, or reads tables by name.
  `select query_to_xmlschema('select * from tenants.tenants', true, true, '') as row, $1::uuid`,
  `select query_to_xml('copy tenants.tenants to stdout', true, true, '') as row, $1::uuid`,
  `select query_to_xml('select * from auth.credentials', true, true, '') as row, $1::uuid`,
  `select query_to_xml('select * from tenants.tenants', true, true, '') as row, $1::uuid`,
  `select query_to_xml('select * from tenants.tenants where tenant_id = ''' || $1::text || '''', true, true, '') as row`,
  `select table_to_xml('tenants.tenants', true, true, '') as row, $1::uuid`,
  `select schema_to_xml('tenants', true, true, '') as row, $1::uuid`,
  `select database_to_xml(true, true, '') as row, $1::uuid`,
  `select ts_stat('select to_tsvector(name) from tenants.tenants') as row, $1::uuid`,
  `select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, name::tsquery from tenants.tenants') as row, $1::uuid`,
  // What PostgreSQL knows about rows.
  'select s.*, $1::uuid from pg_stats s',
  'select s.*, $1::uuid from pg_stats_ext s',
  'select s.*, $1::uuid from pg_statistic s',
  'select a.query, a.application_name, $1::uuid from pg_stat_activity a',
  'select pg_stat_get_activity(null) as row, $1::uuid',
  'select s.*, $1::uuid from pg_stat_statements s',
  'select s.*, $1::uuid from pg_stat_user_tables s',
  'select s.*, $1::uuid from pg_statio_user_indexes s',
  'select s.*, $1::uuid from pg_statistic_ext_data s',
  'select c.relname, c.reltuples, pg_relation_size(c.oid), $1::uuid from pg_class c',
  'select n.*, $1::uuid from pg_listening_channels() n',
  `select pg_get_functiondef(f.oid) as row, $1::uuid from pg_proc f where f.prokind = 'f' and f.pronamespace = 'tenancy'::regnamespace`,
  'select m.*, $1::uuid from pg_backend_memory_contexts m',
  'select p.*, $1::uuid from pg_prepared_statements p',
  'select c.*, $1::uuid from pg_cursors c',
  'select s.*, $1::uuid from pg_settings s',
  'select l.*, $1::uuid from pg_locks l',
  'select s.*, $1::uuid from pg_sequences s',
  'select s.*, $1::uuid from pg_shadow s',
  'select s.*, $1::uuid from pg_hba_file_rules s',
  'select s.*, $1::uuid from pg_file_settings s',
  'select s.*, $1::uuid from pg_largeobject s',
  `select string_agg(d.description, ''), $1::uuid from pg_description d where d.description like '${SECRET}'`,
];

/**
 * Each asks whether a value is there: the victim's has to get the answer that a value of nobody gets. `$1` is the value.
 */
const ORACLES = [
  'select exists (select from identity.api_keys where name = $1) as answer',
  'select count(*) as answer from events.log where actor = $1 or correlation_id = $1 or data = to_jsonb($1::text)',
  'select 1 / count(*) as answer from identity.api_keys where name = $1',
  `select count(*) as answer from pg_stats where most_common_vals::text like '%' || $1 || '%' or histogram_bounds::text like '%' || $1 || '%'`,
  `select count(*) as answer from pg_stat_activity where query like '%' || $1 || '%' and pid <> pg_backend_pid()`,
  `insert into idempotency.answers (tenant_id, actor, route, key, request_hash) values (tenancy.tenant_id(), $1, $1, $1, sha256('x')) returning key is not null as answer`,
  `insert into idempotency.answers (tenant_id, actor, route, key, request_hash) values (tenancy.tenant_id(), $1, $1, $1, sha256('x')) on conflict do nothing returning true as answer`,
  `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by) select tenancy.tenant_id(), gen_random_uuid(), $1, 'x', '{}', $1 returning true as answer`,
  'update identity.api_keys set created_by = created_by where name = $1 returning true as answer',
  'delete from idempotency.answers where key = $1 returning true as answer',
  `merge into identity.api_keys k using (select 1) s on k.name = $1 when matched then update set prefix = 'x' returning true as answer`,
  'select tenant_id from tenants.tenants where slug = $1 for update nowait',
  'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as answer',
];

/** Each has to be refused, whatever it would show. */
const REFUSED: Readonly<Record<string, string>> = {
  'select secret from tenancy.signing_keys': '42501',
  'select secret_hash from auth.credentials': '42501',
  'select subject from auth.memberships': '42501',
  'select revocations from auth.tenants': '42501',
  'select auth.note_revocation()': '42501',
  "select tenancy.mint(gen_random_uuid(), 'x', '{*}', now() + '1 day')": '42501',
  "select tenancy.verified_grant('x')": '42501',
  'select tenancy.verified_principal()': '42501',
  'select tenancy.rotate_signing_key()': '42501',
  "select tenancy.protect('tenants.tenants')": '42501',
  "select auth.grant_for_key('x')": '42501',
  "select auth.grant_for_member('a', 'b', gen_random_uuid())": '42501',
  "select auth.grant_for_system('test', gen_random_uuid(), '')": '42501',
  'select auth.revocation_counter()': '42501',
  "select auth.set_tenant('active', 'unlimited')": 'HF003',
  "insert into tenancy.exemptions values (1, 'events.log', 'because I say so', 'me')": '42501',
  "insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes) values (sha256('x'), gen_random_uuid(), gen_random_uuid(), '{*}')":
    '42501',
  "insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor, correlation_id, occurred_at, data) values (pg_current_xact_id(), tenancy.tenant_id(), gen_random_uuid(), 'a', gen_random_uuid(), 1, 'a.b', 1, 'member:somebody', 'x', now(), '{}')":
    '42501',
  "update events.log set actor = 'member:somebody'": '42501',
  'delete from events.log': '42501',
  'delete from tenants.tenants': '42501',
  "select nextval('events.log_seq')": '42501',
  "select currval('events.log_seq')": '42501',
  "select setval('events.log_seq', 1)": '42501',
  'select last_value from events.log_seq': '42501',
  "select pg_read_file('postgresql.conf')": '42501',
  "select pg_read_binary_file('PG_VERSION')": '42501',
  "select pg_stat_file('PG_VERSION')": '42501',
  "select pg_ls_dir('.')": '42501',
  'select pg_ls_waldir()': '42501',
  "select lo_import('/etc/passwd')": '42501',
  'select pg_reload_conf()': '42501',
  'select pg_switch_wal()': '42501',
  "select pg_create_restore_point('x')": '42501',
  "select lo_export(1, '/tmp/x')": '42501',
  'select pg_stat_reset()': '42501',
  'select pg_stat_force_next_flush(), pg_stat_reset_shared()': '42501',
  'select pg_log_backend_memory_contexts(pg_backend_pid())': '42501',
  "select pg_replication_origin_create('x')": '42501',
  'select pg_promote()': '42501',
  'select * from pg_authid': '42501',
  'select * from pg_config': '42501',
  'update pg_class set relrowsecurity = false': '42501',
  'delete from pg_policy': '42501',
  "update pg_proc set prosrc = 'begin return null; end'": '42501',
  "insert into pg_policy (polname) values ('x')": '42501',
  "select set_config('log_statement', 'none', false)": '42501',
  "select set_config('log_min_messages', 'debug5', true)": '42501',
  // The estimates of a plan would tell how often a value stands in the rows of all tenants.
  "select query_to_xml('explain select * from tenants.tenants where name = ''x''', true, true, '')": '0A000',
  "select query_to_xml('explain (analyze, verbose) select * from tenants.tenants', true, true, '')": '0A000',
  "select set_config('is_superuser', 'on', true)": '55P02',
  'select 1 as a into unlogged public.poison': '42501',
  "select pg_create_logical_replication_slot('x', 'pgoutput')": '42501',
  "select dblink('dbname=postgres', 'select 1')": '42883',
  "select set_config('role', 'holdfast_owner', false)": '42501',
  "select set_config('role', 'holdfast_relay', true)": '42501',
  "select set_config('session_authorization', 'holdfast_auth', false)": '42501',
  "select set_config('session_replication_role', 'replica', true)": '42501',
  "select set_config('session_preload_libraries', 'x', true)": '42501',
};

/** Carries what was answered out of a transaction that is rolled back. */
class Told extends Error {
  constructor(readonly rows: unknown) {
    super('told');
  }
}

/** Everything of a tenant that these attacks aim at. */
const BELONGINGS = `select (select jsonb_agg(t) from tenants.tenants t where t.tenant_id = $1) as tenants,
  (select jsonb_agg(k) from identity.api_keys k where k.tenant_id = $1) as keys,
  (select jsonb_agg(a) from idempotency.answers a where a.tenant_id = $1) as answers,
  (select jsonb_agg(l) from events.log l where l.tenant_id = $1) as events`;

describe.each(testRoutes())('One injected statement, $route', (route) => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let attacker: Caller;
  let victim: Caller;
  let untouched: unknown;
  const belongings = (): Promise<unknown> => database.admin(BELONGINGS, [victim.tenantId]);
  const attack = new Attack('reading', (tenantId) => tenantId === victim.tenantId);
  const inject: Attack['inject'] = (...attempt) => attack.inject(...attempt);

  beforeAll(async () => {
    database = await TestDatabase.createFor(route);
    tenants = database.tenants();
    [attacker, victim] = [await database.caller(newId()), await database.caller(newId())];
    for (const [caller, text] of [
      [attacker, 'attacker'],
      [victim, SECRET],
    ] as const) {
      await tenants.transaction(caller, async (tx) => {
        const own = [tx.tenantId, text];
        await inject(tx, 'insert into tenants.tenants (tenant_id, slug, name) values ($1, $2, $2)', own);
        await inject(
          tx,
          `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by) values ($1, gen_random_uuid(), $2, $2, '{}', $2)`,
          own,
        );
        await inject(
          tx,
          `insert into idempotency.answers (tenant_id, actor, route, key, request_hash) values ($1, $2, $2, $2, sha256('x'))`,
          own,
        );
        const append = `select events.append(array[gen_random_uuid()], array['test.thing.happened'], array[1], array['test.thing'], array[$1::uuid],
          array[1], array[to_jsonb($2::text)], array[$2], array[null], array[null])`;
        await inject(tx, append, own);
      });
    }
    await database.admin('analyze');
    untouched = await belongings();
  });
  afterAll(() => database.drop());

  /** What the attacker is told: rows, or the whole error with its detail. The parameter is the attacker's own. */
  const answerTo = async (text: string): Promise<string> => {
    const answer = await tenants
      .transaction(attacker, async (tx) => {
        const rows = await inject(tx, text, [victim.tenantId]);
        await inject(tx, 'select 1 / 0'); // Undone, so that each attack meets the same rows.
        return rows;
      })
      .catch((error: unknown) => ({ ...(error as object), message: String(error) }));
    return textOf(answer, text);
  };

  const readRows = (text: string): Promise<Record<string, unknown>[]> =>
    tenants.transaction(attacker, (tx) => inject(tx, text, [victim.tenantId])).catch(() => []);

  it.each(READS)('is not told about another tenant by: %s', async (text) => {
    expect(await answerTo(text)).not.toContain(SECRET);
    for (const row of await readRows(text)) expect(textOf(row, text)).not.toContain(SECRET);
  });

  it.each(Object.entries(REFUSED))('is refused: %s', async (text, code) => {
    await expect(tenants.transaction(attacker, (tx) => inject(tx, text))).rejects.toMatchObject({ code });
  });

  it.each(ORACLES)(
    'is told the same about a value of the victim and about one of nobody: %s',
    async (text) => {
      const ask = (value: string): Promise<unknown> =>
        tenants
          .transaction(attacker, async (tx) => {
            const rows = await inject(tx, text, [value]);
            throw new Told(rows); // Undone, so that the second question finds what the first one found.
          })
          .catch((error: unknown) => (error instanceof Told ? error.rows : sqlState(error)));
      const aboutNobody = await ask('of-nobody');
      expect(await ask(SECRET)).toEqual(aboutNobody);
    },
  );

  it('does not see the values that another tenant is using at the time', async () => {
    await tenants.transaction(victim, async (tx) => {
      await inject(tx, 'select $1::text as value', [SECRET]);
      const seen = await tenants.transaction(attacker, (other) =>
        inject(other, 'select query from pg_stat_activity'),
      );
      expect(JSON.stringify(seen)).not.toContain(SECRET);
      expect(JSON.stringify(seen)).not.toContain(victim.grant.slice(64, 140));
    });
  });

  it('changes nothing of another tenant when it changes everything that it can', async () => {
    for (const text of [
      `update tenants.tenants set name = 'taken'`,
      `update identity.api_keys set name = 'taken', revoked_at = now()`,
      'delete from idempotency.answers',
      `merge into identity.api_keys k using (select 1) s on k.name = k.name when matched then update set name = 'merged'`,
    ]) {
      await tenants.transaction(attacker, async (tx) => {
        await inject(tx, text);
        await tx.announce(fixtureMade());
      });
    }
    expect(await belongings()).toEqual(untouched);
    expect(JSON.stringify(untouched)).toContain(SECRET);
  });

  it('learns nothing of the values of another tenant from what a MERGE refuses', async () => {
    // Without a look at the target's columns PostgreSQL applies no SELECT policy to it, and refuses the first foreign row
    // aloud: so one learns that somebody else has a row, and nothing about it. A condition brings the policy back.
    const merge = (condition: string): Promise<unknown> =>
      tenants.transaction(attacker, (tx) =>
        inject(
          tx,
          `merge into tenants.tenants t using (select 1) s on ${condition} when matched then update set name = 'x'`,
        ),
      );
    await expect(merge('true')).rejects.toMatchObject({ code: '42501' });
    for (const condition of [
      `t.slug = '${SECRET}'`,
      `t.slug = 'of nobody'`,
      `t.ctid is not null and t.name = '${SECRET}'`,
    ]) {
      expect(await merge(condition)).toEqual([]);
    }
  });

  it('signs an event with the actor of its own grant and with no other', async () => {
    const append = `select events.append(array[gen_random_uuid()], array['test.thing.happened'], array[1], array['test.thing'],
      array[gen_random_uuid()], array[1], array['{}'::jsonb], array['x'], array[null], array[null], array[$1], array[1])`;
    const forged = tenants.transaction(attacker, (tx) => inject(tx, append, [victim.grant]));
    await expect(forged).rejects.toThrow('no valid tenant context');
  });

  it('has been tried in every way above, and has shown and changed nothing', async () => {
    expect(await belongings()).toEqual(untouched);
    attack.report(route.route);
    expect(attack.attempts).toBeGreaterThan(3 * READS.length);
    expect(attack.foreignRows).toBe(0);
  });
});
