-- Exports of the audit trail: what somebody asked for, and the file that a worker writes, in gzipped pieces that know their place
-- in it, so that a download can go on where it was cut. The work is a row of tenants.tasks, as it is for exports of a tenant.
--
-- Right under concurrency: a piece and how far the export has got are written in one transaction, under the lease of its task.
-- Safe under load: creates tables, and replaces the check of a table that has a row for each export under way.
set local role holdfast_owner;

alter table tenants.tasks drop constraint tasks_kind_check;
alter table tenants.tasks add constraint tasks_kind_check check (kind in ('export', 'erasure', 'audit-export'));

create table audit.exports (
  tenant_id uuid not null,
  id uuid not null,
  format text not null check (format in ('ndjson', 'csv', 'bundle')),
  filters jsonb not null default '{}',
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed', 'expired')),
  requested_by text not null,
  requested_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  expires_at timestamptz,
  rows_done bigint not null default 0,
  -- Null where nobody has counted what the filters let through.
  rows_total bigint,
  byte_count bigint not null default 0,
  -- Of the whole file, once it is written.
  sha256 text,
  primary key (tenant_id, id)
) with (autovacuum_vacuum_scale_factor = 0.02);

create table audit.export_chunks (
  tenant_id uuid not null,
  export_id uuid not null,
  -- Where in the file the piece begins, and how long it is there; the body is gzipped.
  first_byte bigint not null,
  byte_count int not null check (byte_count > 0),
  body bytea not null,
  primary key (tenant_id, export_id, first_byte),
  foreign key (tenant_id, export_id) references audit.exports (tenant_id, id)
) with (autovacuum_vacuum_scale_factor = 0.02);
alter table audit.export_chunks alter column body set storage external;

select tenancy.protect('audit.exports');
select tenancy.protect('audit.export_chunks');
grant select, insert, update on audit.exports to holdfast_app;
grant select, insert, delete on audit.export_chunks to holdfast_app;
grant select on audit.exports, audit.export_chunks to holdfast_ops;

insert into tenancy.not_exported (relation, reason) values
  ('audit.exports', 'of copies that this installation keeps for some days'),
  ('audit.export_chunks', 'copies of what an export holds besides');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit.exports', 'audit.export_chunks']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
