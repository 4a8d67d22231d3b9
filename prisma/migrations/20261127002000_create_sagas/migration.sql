-- Sagas: what spans transactions, tenants or other systems, and is finished or undone.
--
-- A saga is a row of the tenant that began it. Whoever works on it holds a lease and the number that the lease was given, `fence`; each
-- step is one transaction that changes the row under that number and does its work. So of two processes that take themselves for the
-- holder one changes nothing, and what is written here is what has happened.
--
-- A step in another tenant is a transaction of that tenant, which cannot see the saga. Its record is a row of `participations` under the
-- step's own id: whoever comes first writes it, the others wait for it at its primary key and find what came of it. A compensation that
-- comes before its step leaves a cancelled row, so that a step that is late finds that it must not be done.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create schema sagas;
grant usage on schema sagas to holdfast_app, holdfast_relay;

create table sagas.sagas (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  -- Which definition of it; it ends under the one that it began under.
  hash text not null,
  state text not null default 'running'
    check (state in ('running', 'compensating', 'needs_operator', 'completed', 'compensated')),
  -- Whether it is on its way back, also while an operator is needed.
  backward boolean not null default false,
  -- The place of the step that is to be done next, or on the way back, compensated; -1 behind the last of these.
  place int not null default 0,
  -- That a call outside may have been made for the step, and nobody has heard what came of it.
  intended boolean not null default false,
  input jsonb not null,
  results jsonb not null default '{}',
  -- The code of why it turned back or needs an operator; and what the last attempt failed with, free of what is the tenant's.
  reason text,
  last_error text,
  -- Failures of the step in a row.
  attempts int not null default 0,
  cancel_requested boolean not null default false,
  -- When somebody has to look at it; null where nobody has to.
  due_at timestamptz default clock_timestamp(),
  lease_until timestamptz,
  fence bigint not null default 0,
  step_deadline_at timestamptz,
  deadline_at timestamptz not null,
  -- The event that it waits for.
  awaits_stream_type text,
  awaits_stream_id uuid,
  awaits_type text,
  correlation_id text not null,
  traceparent text,
  started_by text not null,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- Of its stream of events.
  version bigint not null default 1,
  primary key (tenant_id, id),
  check ((ended_at is null) = (state in ('running', 'compensating', 'needs_operator'))),
  check ((due_at is null) = (state not in ('running', 'compensating')))
);
create index sagas_due_at_idx on sagas.sagas (due_at) where due_at is not null;
create index sagas_open_idx on sagas.sagas (name, state) where ended_at is null;
create index sagas_tenant_id_open_idx on sagas.sagas (tenant_id, id) where ended_at is null;
create index sagas_awaits_idx on sagas.sagas (tenant_id, awaits_stream_type, awaits_stream_id) where awaits_type is not null;

select tenancy.protect('sagas.sagas', readers => '{holdfast_relay}');
grant select, insert on sagas.sagas to holdfast_app;
grant update (state, backward, place, intended, results, reason, last_error, attempts, cancel_requested, due_at, lease_until, fence,
  step_deadline_at, awaits_stream_type, awaits_stream_id, awaits_type, ended_at, version) on sagas.sagas to holdfast_app;
-- Which tenants have work, and of which definitions; nothing of what it is about.
grant select (tenant_id, id, name, hash, state, due_at, lease_until, started_at, ended_at, awaits_stream_type, awaits_stream_id, awaits_type)
  on sagas.sagas to holdfast_relay;
select tenancy.record('sagas.sagas',
  only_updates => '(new.state, new.backward, new.place, new.cancel_requested, new.results, new.reason)
    is distinct from (old.state, old.backward, old.place, old.cancel_requested, old.results, old.reason)');

-- Steps that were done in this tenant for a saga of another, by the step's id.
create table sagas.participations (
  tenant_id uuid not null,
  id uuid not null,
  saga_id uuid not null,
  name text not null,
  step text not null,
  state text not null check (state in ('completed', 'compensated', 'cancelled')),
  result jsonb,
  version bigint not null default 1,
  primary key (tenant_id, id)
);
select tenancy.protect('sagas.participations');
grant select, insert on sagas.participations to holdfast_app;
grant update (state, result, version) on sagas.participations to holdfast_app;
select tenancy.record('sagas.participations');

insert into tenancy.not_exported (relation, reason) values
  ('sagas.sagas', 'work under way here, and with tenants of this installation'),
  ('sagas.participations', 'what was done here for sagas of tenants of this installation');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'sagas.list_due', 'workers ask which tenants have work, in a role that sees nothing of what it is', 'sagas'),
  (18, 'sagas.list_met', 'workers ask whose awaited event is in the log, in a role that sees nothing of what it is about', 'sagas'),
  (18, 'sagas.count_open', 'counts sagas of all tenants by definition and state', 'sagas');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 28 November 2026 does not list it, and may start again during the update',
  'sagas', clock_timestamp() + interval '30 days'
from unnest(array['sagas', 'sagas.sagas', 'sagas.participations']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
