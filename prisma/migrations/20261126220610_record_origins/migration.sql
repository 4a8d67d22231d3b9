-- From where requests came that ran a command: an event names its request, and this its address.
--
-- Written in batches behind the answers, so that no request waits for it; kill -9 loses the last second. Addresses are personal
-- values: they stand here and in no event, for 90 days, and go with the tenant. Safe under load: creates only.
set local role holdfast_owner;

create table audit.requests (
  tenant_id uuid not null,
  -- UUIDv7, so that the oldest come first.
  id uuid not null,
  -- The correlation id of the events; clients choose it, and may choose one again.
  request_id text not null,
  actor text not null,
  -- Method and pattern, without values.
  route text not null,
  status int not null,
  address text not null,
  user_agent text,
  answered_at timestamptz not null,
  primary key (tenant_id, id)
);
create index requests_tenant_id_request_id_idx on audit.requests (tenant_id, request_id);

select tenancy.protect('audit.requests');
grant select, insert, delete on audit.requests to holdfast_app;

insert into tenancy.not_exported (relation, reason) values
  ('audit.requests', 'addresses of those who called this installation, kept for 90 days');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, 'audit.requests', 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
