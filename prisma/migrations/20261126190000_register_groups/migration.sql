-- The consumer groups that workers have declared, and what operators have decided about each of them.
--
-- A worker registers its groups when it starts, and a group begins nowhere before it is registered: so `from_tick` is one
-- place for all workers, however many start at once (the first insert wins). Decisions stand here and not on cursors,
-- because a delivery holds its cursor's lock for as long as it takes, and an operator must be able to pause a group that hangs.
-- Nobody locks a row of this table for longer than a statement.
--
-- Safe under load: creates, and adds columns with constant defaults.
set local role holdfast_owner;

create table events.groups (
  name text primary key check (name ~ '^[a-z][a-z0-9]*([.-][a-z0-9]+)*$' and length(name) <= 40),
  kind text not null check (kind in ('tenant', 'store')),
  -- Whether what the group has done can be done again, as its code declares: 'idempotent', 'reset' or 'never'.
  replay text not null check (replay in ('idempotent', 'reset', 'never')),
  -- Where a cursor begins that does not exist yet.
  from_tick bigint not null,
  registered_at timestamptz not null default clock_timestamp(),
  paused_at timestamptz,
  paused_by text,
  paused_reason text,
  -- Counts replays of the whole group. A cursor of an earlier generation goes back to `replay_tick` before it delivers.
  generation int not null default 0,
  replay_tick bigint,
  replayed_at timestamptz,
  replayed_by text,
  replayed_reason text,
  check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (paused_reason is null))
);
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'events.groups', 'consumer groups and their state, the same for all tenants; the application reads where cursors begin', 'events');

alter table events.tenant_cursors add column generation int not null default 0;
alter table events.store_cursors add column generation int not null default 0;

grant select, insert, update on events.groups to holdfast_relay;
-- A tenant's consumers need where to begin and whether to go on; who paused it and why is the operator's.
grant select (name, from_tick, paused_at, generation, replay_tick) on events.groups to holdfast_app;
-- The group that counts usage is replayed from nothing.
grant delete on tenants.usage_counts to holdfast_app;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'events', clock_timestamp() + interval '30 days'
from unnest(array['events.groups', 'tenants.usage_counts']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
