-- What workers find when they verify the audit logs, once a day each: kept until a run over everything no longer finds it, so that
-- an event tells of it once. The work is a row of tenants.tasks for each tenant, which stays and is due again after a day.
--
-- Right under concurrency: findings are written under the lease of the task, each once by its unique key.
-- Safe under load: creates a table.
set local role holdfast_owner;

create table audit.breaks (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  epoch int not null,
  leaf bigint,
  event_id uuid,
  message text not null,
  last_seen_at timestamptz not null,
  primary key (tenant_id, id),
  unique nulls not distinct (tenant_id, kind, epoch, leaf, event_id)
);
select tenancy.protect('audit.breaks', readers => '{holdfast_relay}');
grant select, insert, update, delete on audit.breaks to holdfast_app;
grant select on audit.breaks to holdfast_ops;
grant usage on schema audit to holdfast_relay;
grant select (tenant_id) on audit.breaks to holdfast_relay;

insert into tenancy.not_exported (relation, reason) values
  ('audit.breaks', 'of the log of this installation; another verifies its own');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit', 'audit.breaks']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
