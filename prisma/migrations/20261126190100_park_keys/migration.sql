-- What could not be delivered: the keys of a tenant that a group has set aside, and behind each its events, in order.
--
-- Right under concurrency: rows come and go only while the group's cursor of the tenant (of all tenants, for a store) is
-- locked, and a key is parked in the transaction in which the cursor passes over its events. So an event is always in
-- one of three places: before the cursor, done, or here. Operators change `state` and `skip_event_id` of a quarantined key and
-- nothing else, and a delivery changes neither of a quarantined key.
--
-- Safe under load: creates.
set local role holdfast_owner;

create table events.parked_keys (
  tenant_id uuid not null,
  group_name text not null,
  key text not null check (length(key) between 1 and 200),
  state text not null check (state in ('retrying', 'quarantined', 'releasing')),
  -- Failures in a row of the event that stands first.
  attempts int not null check (attempts >= 0),
  -- When it is tried again; a quarantined key waits for an operator.
  retry_at timestamptz,
  -- The event that failed when it was delivered alone, and that it is to be dropped, which only an operator decides.
  failed_event_id uuid,
  skip_event_id uuid,
  last_error text,
  event_count bigint not null default 0 check (event_count >= 0),
  -- The end of a batch that a store may have been sent already, as through_seq is on its cursor.
  through_place bigint,
  parked_at timestamptz not null default clock_timestamp(),
  quarantined_at timestamptz,
  primary key (tenant_id, group_name, key),
  check ((state = 'quarantined') = (retry_at is null))
) with (fillfactor = 70);
-- What is due, which the sweep looks for every second; and whether a store has parked anything at all.
create index parked_keys_group_name_retry_at_idx on events.parked_keys (group_name, retry_at);

create table events.parked_events (
  tenant_id uuid not null,
  group_name text not null,
  key text not null,
  -- Contiguous or not, rising in the order of the events' arrival.
  place bigint not null,
  event_id uuid not null,
  primary key (tenant_id, group_name, key, place),
  foreign key (tenant_id, group_name, key) references events.parked_keys (tenant_id, group_name, key)
);
-- The operator lists what is quarantined, of all tenants; it acts in one tenant at a time, as the application.
select tenancy.protect('events.parked_keys', readers => '{holdfast_relay,holdfast_ops}');
select tenancy.protect('events.parked_events', readers => '{holdfast_relay}');
-- Stores take the events of all tenants in one transaction, and park in it.
create policy holdfast_relay_parks on events.parked_keys as permissive for all to holdfast_relay
  using (exists (select from events.groups g where g.name = group_name and g.kind = 'store'))
  with check (exists (select from events.groups g where g.name = group_name and g.kind = 'store'));
create policy holdfast_relay_parks on events.parked_events as permissive for all to holdfast_relay
  using (exists (select from events.groups g where g.name = group_name and g.kind = 'store'))
  with check (exists (select from events.groups g where g.name = group_name and g.kind = 'store'));
insert into tenancy.exemptions (rule, object, reason, owner) values
  (4, 'events.parked_keys holdfast_relay_parks', 'a store group parks what it could not send, of all tenants; the policy ends at groups of that kind', 'events'),
  (4, 'events.parked_events holdfast_relay_parks', 'a store group parks what it could not send, of all tenants; the policy ends at groups of that kind', 'events');

grant select, insert, update, delete on events.parked_keys, events.parked_events to holdfast_app, holdfast_relay;
grant select on events.parked_keys to holdfast_ops;

insert into tenancy.not_exported (relation, reason) values
  ('events.parked_keys', 'what consumers of this cluster could not deliver yet'),
  ('events.parked_events', 'what consumers of this cluster could not deliver yet');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'events', clock_timestamp() + interval '30 days'
from unnest(array['events.parked_keys', 'events.parked_events']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
