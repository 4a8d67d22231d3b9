-- Erasing what is held of one person, and what stands in the way of it: legal holds.
--
-- Right under concurrency: whoever orders an erasure, places or lifts a hold, or changes the retention locks the tenant's row of
-- audit.retention first, so that no hold is placed between the look for holds and the erasure. Safe under load: creates, and a
-- check of a table with a handful of rows.
set local role holdfast_owner;

-- How many days rows of the log are kept; null: for ever. There is a row once somebody has locked it.
create table audit.retention (
  tenant_id uuid not null primary key,
  keep_days int check (keep_days between 1 and 36500),
  version bigint not null default 0
);

-- Who was erased, when and at whose order. `related` are ids of the same person: of invitations, say.
create table audit.subject_erasures (
  tenant_id uuid not null,
  subject uuid not null,
  related uuid[] not null,
  status text not null check (status in ('erasing', 'erased')),
  requested_by text not null default tenancy.actor(),
  requested_at timestamptz not null default clock_timestamp(),
  erased_at timestamptz,
  stream_version bigint not null default 1,
  primary key (tenant_id, subject)
);

-- Why somebody, or with a null subject the whole tenant, may not be erased. The reason stands here and in no event.
create table audit.legal_holds (
  tenant_id uuid not null,
  id uuid not null,
  subject uuid,
  reason text not null check (length(reason) between 1 and 1000),
  placed_by text not null default tenancy.actor(),
  placed_at timestamptz not null default clock_timestamp(),
  lifted_by text,
  lifted_at timestamptz,
  primary key (tenant_id, id),
  check ((lifted_by is null) = (lifted_at is null))
);
create index legal_holds_tenant_id_idx on audit.legal_holds (tenant_id) where lifted_at is null;

select tenancy.protect('audit.retention');
select tenancy.protect('audit.subject_erasures');
select tenancy.protect('audit.legal_holds');

grant select, insert, update on audit.retention, audit.subject_erasures, audit.legal_holds to holdfast_app;

-- Which kinds of task there are is in the code: whoever writes one cannot write a kind that no worker knows unnoticed.
alter table tenants.tasks drop constraint tasks_kind_check;
alter table tenants.tasks add constraint tasks_kind_check check (kind ~ '^[a-z]+(-[a-z]+)*$');

insert into tenancy.not_exported (relation, reason) values
  ('audit.retention', 'says how long this installation keeps its log'),
  ('audit.subject_erasures', 'of the vault of this installation; the events say who was erased');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit.retention', 'audit.subject_erasures', 'audit.legal_holds']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
