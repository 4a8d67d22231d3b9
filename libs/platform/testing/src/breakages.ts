/** One defence that is broken as an administrator could break it, and what the doctor then names. */
export interface Breakage {
  readonly what: string;
  readonly sql: string;
  readonly rule: number;
  readonly object: string;
  /** Instead of the findings' own fixes, where those would be the wrong decision here; functions are restored from before. */
  readonly undo?: string;
}

const TABLE = 'create table tenants.notes (tenant_id uuid, id uuid, primary key (tenant_id, id))';
const PROTECTED = `${TABLE}; select tenancy.protect('tenants.notes')`;

/** What a database can be made to lack, by the rules that the doctor looks for. */
export const BREAKAGES: readonly Breakage[] = [
  {
    what: 'switched-off row-level security',
    sql: 'alter table tenants.tenants disable row level security',
    rule: 1,
    object: 'tenants.tenants',
  },
  {
    what: 'a tenant table that nobody protected',
    sql: `${TABLE}; alter table tenants.notes force row level security`,
    rule: 1,
    object: 'tenants.notes',
  },
  {
    what: 'a table without tenants that the application may touch',
    sql: 'create table tenants.countries (id int); grant select on tenants.countries to holdfast_app',
    rule: 1,
    object: 'tenants.countries',
    undo: 'revoke select on tenants.countries from holdfast_app',
  },
  {
    what: 'a table of which the application may touch one column',
    sql: 'create table tenants.countries (id int); grant select (id) on tenants.countries to holdfast_app',
    rule: 1,
    object: 'tenants.countries',
    undo: 'revoke select (id) on tenants.countries from holdfast_app',
  },
  {
    what: 'a ledger without FORCE',
    sql: 'alter table ledger.accounts no force row level security',
    rule: 3,
    object: 'ledger.accounts',
  },
  {
    what: 'tables without FORCE',
    sql: 'alter table identity.api_keys no force row level security',
    rule: 3,
    object: 'identity.api_keys',
  },
  {
    what: 'a table that the application owns',
    sql: 'alter table events.log owner to holdfast_app',
    rule: 3,
    object: 'events.log',
  },
  {
    what: 'a second permissive policy',
    sql: 'create policy wide on events.log to holdfast_sealer using (true)',
    rule: 4,
    object: 'events.log wide',
  },
  {
    what: 'a policy without the check of what is written',
    sql: 'drop policy tenant_isolation on events.log; create policy tenant_isolation on events.log as restrictive to holdfast_app using (tenant_id = (select tenancy.tenant_id()))',
    rule: 4,
    object: 'events.log',
  },
  {
    what: 'a policy that leaves the owner out',
    sql: 'alter policy tenant_isolation on identity.api_keys to holdfast_app, holdfast_ops',
    rule: 4,
    object: 'identity.api_keys',
  },
  {
    what: 'an isolation policy that was made permissive',
    sql: 'drop policy tenant_isolation on identity.api_keys; create policy tenant_isolation on identity.api_keys to holdfast_owner, holdfast_app, holdfast_ops using (tenant_id = (select tenancy.tenant_id())) with check (tenant_id = (select tenancy.tenant_id()))',
    rule: 4,
    object: 'identity.api_keys',
  },
  {
    what: 'a reader that may write',
    sql: 'drop policy holdfast_ops_reads on tenants.tenants; create policy holdfast_ops_reads on tenants.tenants to holdfast_ops using (true)',
    rule: 4,
    object: 'tenants.tenants holdfast_ops_reads',
    undo: 'drop policy holdfast_ops_reads on tenants.tenants; create policy holdfast_ops_reads on tenants.tenants for select to holdfast_ops using (true)',
  },
  {
    what: 'a view with the rights of its owner',
    sql: 'create view tenants.everybody as select slug from tenants.tenants; grant select on tenants.everybody to holdfast_app',
    rule: 9,
    object: 'tenants.everybody',
  },
  {
    what: 'a materialised view',
    sql: 'create materialized view tenants.frozen as select slug from tenants.tenants; grant select on tenants.frozen to holdfast_app',
    rule: 9,
    object: 'tenants.frozen',
  },
  {
    what: 'a definer function in a module',
    sql: `create function tenants.all_slugs() returns setof text language sql security definer set search_path = pg_catalog as 'select slug from tenants.tenants'; revoke execute on function tenants.all_slugs() from public`,
    rule: 10,
    object: 'tenants.all_slugs',
  },
  {
    what: 'a definer function without a search_path',
    sql: 'alter function tenancy.enter(text) reset search_path',
    rule: 10,
    object: 'tenancy.enter',
  },
  {
    what: 'a foreign key without the tenant',
    sql: `${PROTECTED}; create table tenants.comments (tenant_id uuid, id uuid, note_id uuid, primary key (tenant_id, id));
      select tenancy.protect('tenants.comments'); alter table tenants.notes add unique (id);
      insert into tenancy.exemptions values (12, 'tenants.notes_id_key', 'only for this test', 'tests');
      alter table tenants.comments add constraint of_note foreign key (note_id) references tenants.notes (id)`,
    rule: 11,
    object: 'tenants.comments of_note',
  },
  {
    what: 'a unique constraint over all tenants',
    sql: 'alter table identity.api_keys add constraint one_name unique (name)',
    rule: 12,
    object: 'identity.one_name',
  },
  {
    what: 'a unique index in which the tenant comes second',
    sql: 'create unique index second on identity.api_keys (lower(name), tenant_id)',
    rule: 12,
    object: 'identity.second',
  },
  {
    what: 'a partition with grants of its own',
    sql: `create table tenants.days (tenant_id uuid, day date, primary key (tenant_id, day)) partition by range (day);
      create table tenants.monday partition of tenants.days default; select tenancy.protect('tenants.days');
      select tenancy.protect('tenants.monday'); grant select on tenants.monday to holdfast_app`,
    rule: 14,
    object: 'tenants.monday',
  },
  {
    what: 'a TRUNCATE grant',
    sql: 'grant truncate on events.log to holdfast_app',
    rule: 15,
    object: 'events.log',
  },
  {
    what: 'a TRIGGER grant to the public',
    sql: 'grant trigger on events.log to public',
    rule: 15,
    object: 'events.log',
  },
  {
    what: 'a REFERENCES grant',
    sql: 'grant references on events.log to holdfast_relay',
    rule: 15,
    object: 'events.log',
  },
  { what: 'CREATE in a schema', sql: 'grant create on schema public to public', rule: 15, object: 'public' },
  {
    what: 'a context that is not verified',
    sql: `create or replace function tenancy.tenant_id() returns uuid language plpgsql stable parallel safe security definer
      set search_path = pg_catalog, pg_temp as 'begin if current_setting(''holdfast.context'', true) > '''' then
      return substr(current_setting(''holdfast.context''), 69, 36); end if; raise ''none'' using errcode = ''HF001''; end'`,
    rule: 5,
    object: 'tenancy.tenant_id()',
    undo: 'restore',
  },
  {
    what: 'grants that are not verified',
    sql: `do $do$ begin execute replace(pg_get_functiondef('tenancy.enter(text)'::regprocedure), 'when encode(substr(signed, 1, 64), ''escape'') =', 'when true or encode(substr(signed, 1, 64), ''escape'') ='); end $do$`,
    rule: 5,
    object: 'tenancy.enter(text)',
    undo: 'restore',
  },
  {
    what: 'contexts that outlive their transaction',
    sql: `do $do$ begin
        execute replace(pg_get_functiondef('tenancy.enter(text)'::regprocedure), 'timestamptz_send(transaction_timestamp())', '''''::bytea');
        execute replace(pg_get_functiondef('tenancy.tenant_id()'::regprocedure), 'timestamptz_send(transaction_timestamp())', '''''::bytea');
      end $do$`,
    rule: 6,
    object: 'tenancy.tenant_id()',
    undo: 'restore',
  },
  {
    what: 'a session that the next tenant finds as it was left',
    sql: `do $do$ begin execute replace(pg_get_functiondef('tenancy.enter(text)'::regprocedure), 'reset all', 'reset geqo'); end $do$`,
    rule: 6,
    object: 'tenancy.enter(text)',
    undo: 'restore',
  },
  {
    what: 'an empty answer where there is no tenant',
    sql: `do $do$ begin execute replace(pg_get_functiondef('tenancy.tenant_id()'::regprocedure), 'begin', 'begin if current_setting(''holdfast.context'', true) is null then return null; end if;'); end $do$`,
    rule: 7,
    object: 'tenancy.tenant_id()',
    undo: 'restore',
  },
  {
    what: 'an empty answer where the last tenant has left',
    sql: `do $do$ begin execute replace(pg_get_functiondef('tenancy.tenant_id()'::regprocedure), 'begin', 'begin if context = '''' then return null; end if;'); end $do$`,
    rule: 8,
    object: 'tenancy.tenant_id()',
    undo: 'restore',
  },
  {
    what: 'a unique index that was exempted, where the application inserts',
    sql: `create unique index free on identity.api_keys (name);
      insert into tenancy.exemptions values (12, 'identity.free', 'only for this test', 'tests')`,
    rule: 16,
    object: 'identity.free',
    undo: 'drop index identity.free',
  },
  {
    what: 'session-level advisory locks for everybody',
    sql: 'grant execute on function pg_advisory_lock(bigint) to public',
    rule: 17,
    object: 'pg_advisory_lock(bigint)',
  },
  {
    what: 'a large object',
    sql: 'select lo_create(4711)',
    rule: 17,
    object: 'large object 4711',
  },
  {
    what: 'an extension that connects to other databases',
    sql: 'create extension dblink',
    rule: 17,
    object: 'dblink',
  },
  {
    what: 'a table that no index finds by its tenant',
    sql: `create table tenants.notes (tenant_id uuid, id uuid); select tenancy.protect('tenants.notes')`,
    rule: 18,
    object: 'tenants.notes',
  },
  {
    what: 'a relay that may take from the log',
    sql: 'grant delete on events.log to holdfast_relay',
    rule: 20,
    object: 'events.log',
  },
  {
    what: 'a publication of a table of tenants',
    sql: 'create publication everything for table identity.api_keys',
    rule: 20,
    object: 'everything',
  },
  {
    what: 'the publication of the log with another table',
    sql: 'alter publication holdfast_events add table ledger.accounts',
    rule: 20,
    object: 'holdfast_events',
  },
  {
    what: 'a tenant table whose changes no event tells of',
    sql: PROTECTED,
    rule: 26,
    object: 'tenants.notes',
  },
  {
    what: 'a disabled trigger',
    sql: 'alter table ledger.transfers disable trigger recorded_insert',
    rule: 26,
    object: 'ledger.transfers insert',
  },
  {
    what: 'all triggers of a table disabled',
    sql: 'alter table identity.members disable trigger user',
    rule: 26,
    object: 'identity.members update',
  },
  {
    what: 'a trigger that is gone',
    sql: 'drop trigger recorded_delete on identity.roles',
    rule: 26,
    object: 'identity.roles delete',
  },
  {
    what: 'a trigger that looks before the event is there, or never',
    sql: `drop trigger recorded_update on ledger.accounts;
      create constraint trigger recorded_update after update on ledger.accounts deferrable initially deferred for each row
        when (new.version < 0) execute function tenancy.require_event()`,
    rule: 26,
    object: 'ledger.accounts update',
  },
];
