-- Replays: a group goes back in the log, for all tenants or for one; and what operators did to groups, with who and why.
--
-- Right under concurrency: an operator writes down that a replay is wanted, and each delivery carries it out for itself, under
-- the lock of its cursor and in one transaction with what the group undoes. So a replay of all tenants is one row, and
-- waits for no delivery. `generation` counts a group's replays: a cursor of an earlier one goes back to the least `to_tick`
-- of those that it has missed.
--
-- Safe under load: creates, and adds columns without a default; the columns that go were never read.
set local role holdfast_owner;

alter table events.groups drop column replay_tick, drop column replayed_at, drop column replayed_by, drop column replayed_reason;
alter table events.tenant_cursors add column rewind_to bigint;
alter table events.store_cursors add column rewind_to bigint;
-- The trail of the tenant says that an operator released a key; why is free text and stays here.
alter table events.parked_keys add column released_at timestamptz, add column released_by text,
  add column released_reason text check (length(released_reason) between 1 and 500);

create table events.group_actions (
  id bigint generated always as identity primary key,
  group_name text not null references events.groups (name),
  action text not null check (action in ('pause', 'resume', 'replay')),
  acted_at timestamptz not null default clock_timestamp(),
  acted_by text not null,
  reason text not null check (length(reason) between 1 and 500),
  generation int,
  to_tick bigint,
  -- The idempotency key of the request: the same one acts once.
  request_key text check (length(request_key) <= 255),
  check ((action = 'replay') = (generation is not null) and (action = 'replay') = (to_tick is not null)),
  unique (group_name, generation),
  unique (group_name, request_key)
);

-- How far groups lag, as the leader last measured it: to ask the log of all tenants is its right and nobody else's.
create table events.group_lags (
  group_name text primary key,
  lagging_keys bigint not null,
  -- At most 10,001, which stands for more than 10,000.
  lagging_events bigint not null,
  lag_seconds double precision not null,
  parked_keys bigint not null,
  parked_events bigint not null,
  quarantined_keys bigint not null,
  measured_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

grant select (group_name, generation, to_tick) on events.group_actions to holdfast_app;
grant select on events.group_actions to holdfast_relay;
grant select, insert, update on events.group_lags to holdfast_relay;
grant select on events.groups, events.group_lags to holdfast_ops;
grant update (from_tick, generation, paused_at, paused_by, paused_reason) on events.groups to holdfast_ops;
grant select, insert on events.group_actions to holdfast_ops;
grant select (id, created_at) on events.ticks to holdfast_ops;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'events.group_actions', 'what was done to whole groups, the same for all tenants; the application reads how far they go back', 'events'),
  (18, 'events.find_due_key_of_store', 'a store group parks keys of all tenants, and asks which of them is due', 'events'),
  (18, 'events.find_store_parking', 'a store group parks keys of all tenants, and asks whether there are any', 'events'),
  (18, 'events.find_lagging_store', 'the relay asks whether anything that a store has parked is due', 'events'),
  (18, 'events.list_parked_keys', 'the operator''s list of all parked keys, in the one role that reads them all', 'events'),
  (18, 'events.take_back_parked_of_store', 'a store that is replayed gets what it has parked once more, of all tenants', 'events'),
  (18, 'events.unpark_taken_back_of_store', 'a store that is replayed gets what it has parked once more, of all tenants', 'events'),
  (18, 'events.measure_lag', 'the leader measures how far groups lag, in a role that reads cursors and the log only', 'events');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'events', clock_timestamp() + interval '30 days'
from unnest(array['events.group_actions', 'events.group_lags', 'events.ticks']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
