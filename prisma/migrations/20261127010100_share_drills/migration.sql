-- Drills reach every process that has a database: who is asked for one writes it here, and each process asks every two seconds what runs.
-- In the memory of the process that was asked it reached one of several, and never a worker.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create schema drills;
grant usage on schema drills to holdfast_ops, holdfast_relay;

-- One for each policy: who begins another ends the one before.
create table drills.drills (
  policy text primary key check (policy ~ '^[a-z][a-z_]{0,62}$'),
  does text not null check (does in ('open', 'fail', 'slow')),
  delay_ms int not null check (delay_ms between 1 and 60000),
  begun_by text not null,
  ends_at timestamptz not null
);

grant select, insert, update on drills.drills to holdfast_ops;
grant select on drills.drills to holdfast_relay;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 28 November 2026 does not list it, and may start again during the update',
  'drills', clock_timestamp() + interval '30 days'
from unnest(array['drills', 'drills.drills']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
