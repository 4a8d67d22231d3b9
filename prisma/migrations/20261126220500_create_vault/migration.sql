-- The vault: what events may not say. A personal value is in the log as a salted commitment; salt and value are here, sealed
-- (AES-256-GCM) under a key of its subject, which is wrapped by a key of the tenant, which is not in the database. So a value
-- is taken away for good, out of every backup as well: its row is deleted, and with it the tenant's key is replaced.
--
-- Right under concurrency: who writes shares the tenant's row of audit.vaults until the commit, and an erasure locks it before
-- it names another key; see libs/platform/vault/src/vault.ts. Safe under load: creates only.
set local role holdfast_owner;

-- Which of its keys wraps the tenant's subjects.
create table audit.vaults (
  tenant_id uuid not null primary key,
  key_id uuid not null
);

-- The key of each subject, sealed under the tenant's key `key_id`; none once the subject is erased: nothing is kept of them then.
create table audit.subject_keys (
  tenant_id uuid not null,
  subject uuid not null,
  key_id uuid not null,
  wrapped bytea,
  primary key (tenant_id, subject)
);
create index subject_keys_tenant_id_key_id_idx on audit.subject_keys (tenant_id, key_id) where wrapped is not null;

-- What a commitment in an event opens to: its salt and value, sealed for this tenant, event, field and subject.
create table audit.disclosures (
  tenant_id uuid not null,
  event_id uuid not null,
  path text not null,
  subject uuid not null,
  sealed bytea not null,
  primary key (tenant_id, event_id, path)
);
create index disclosures_tenant_id_subject_idx on audit.disclosures (tenant_id, subject);

select tenancy.protect('audit.vaults');
select tenancy.protect('audit.subject_keys');
select tenancy.protect('audit.disclosures');

grant select, insert, update on audit.vaults, audit.subject_keys to holdfast_app;
grant select, insert, delete on audit.disclosures to holdfast_app;

insert into tenancy.not_exported (relation, reason) values
  ('audit.vaults', 'names a key that is with this installation'),
  ('audit.subject_keys', 'wrapped by a key that is with this installation'),
  ('audit.disclosures', 'sealed for this installation; an export of the audit log has them for those who may see them');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit.vaults', 'audit.subject_keys', 'audit.disclosures']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
